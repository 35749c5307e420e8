"""What packs there are, what is in one, and one of its prompts filled in: what people look at before they use it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, Source, SpecError, did_you_mean, has_errors
from hcmlang.files import MANIFEST
from hcmlang.lang.imports import read_file
from hcmlang.packs.check import PURPOSES, purpose_of
from hcmlang.packs.lock import read_lock
from hcmlang.packs.origins import checked_range
from hcmlang.packs.pack import SECTIONS, Pack, read_pack
from hcmlang.packs.resolve import find_named, shipped_packs
from hcmlang.packs.selftest import read_values
from hcmlang.packs.versions import Range
from hcmlang.prompts.inputs import Input, unknown_values
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.prompts.render import Prompt, Turn, read_prompt
from hcmlang.prompts.values import examples, names_of
from hcmlang.spec.tree import parse_tree, plain


@dataclass(frozen=True)
class Entry:
    """A pack that specs in a folder can use; `problem` is the first thing that is wrong with it."""

    name: str
    version: str
    source: str
    description: str
    problem: str = ""

    def as_json(self) -> dict[str, str]:
        return {key: value for key, value in asdict(self).items() if value}


def catalog(folder: Path) -> list[Entry]:
    """The packs that specs in a folder can use: the locked ones, each compared with the lock, and those that come with
    hcmlang."""
    lock = read_lock(folder)
    found = []
    for name, locked in lock.packs.items():
        pack, diagnostics = find_named(name, lock)
        problem = "" if pack is not None else f"{diagnostics[0].message}; {diagnostics[0].hint}"
        description = pack.manifest.description if pack is not None else ""
        found.append(Entry(name, locked.version, locked.source, description, problem))
    for pack in shipped_packs():
        if pack.name not in lock.packs:
            found.append(Entry(pack.name, pack.manifest.version, "comes with hcmlang", pack.manifest.description))
    return sorted(found, key=lambda one: one.name)


def described(pack: Pack) -> str:
    """A pack in words: what it is, and what it has by name."""
    said = pack.manifest
    lines = [f"{said.name} {said.version}", said.description, f"licence: {said.license}; for hcmlang {said.hcmlang}"]
    lines += [f"by {', '.join(said.authors)}"] if said.authors else []
    for section in SECTIONS:
        names = pack.names(section)
        lines += ["", f"{section}:"] if names else []
        for name, file in names.items():
            lines.append(f"  {name:<16} {_about(pack, section, name) or file}")
    return "\n".join(lines)


def _about(pack: Pack, section: str, name: str) -> str:
    """What a part says of itself: the description of a prompt with its inputs, the first comment of a program or list."""
    text = read_file(pack.folder / pack.names(section)[name])  # type: ignore[arg-type]
    if section == "prompts":
        tree, _ = front_matter(split(text), Source(name, text))
        purpose, _ = purpose_of(pack, name)
        inputs = ", ".join(_input(one) for one in Prompt(name, text).inputs.values())
        about = text_of(tree, "description")
        return f"{about}\n{'':<19}for {purpose}; inputs: {inputs}" if inputs else about
    first = text.lstrip().splitlines()[:1]
    return first[0].lstrip("# ") if first and first[0].startswith("#") else ""


def _input(one: Input) -> str:
    return one.name + (f": {one.kind}" if one.kind else "") + (f" = {one.default!r}" if one.has_default else "")


def source_text(pack: Pack, name: str) -> str:
    """A part of the pack as it stands. Raises :class:`DiagnosticError` where it has no such part."""
    for section in SECTIONS:
        if name in pack.names(section):
            return read_file(pack.path(section, name))
    known = [one for section in SECTIONS for one in pack.names(section)]
    message = f"the pack {pack.name} has no part `{name}`"
    raise SpecError(Diagnostic("unknown-name", message, hint=did_you_mean(name, known)))


def rendered(text: str, folder: Path, file: Path | None, values: Sequence[str]) -> tuple[Turn, ...]:
    """A prompt filled in: a file, or `PACK/NAME` with a version range after `@` if it likes.

    Values come from a YAML file, and from texts `NAME=VALUE` over them; where there is neither, the first test of the pack has
    them, or example values stand in. Raises :class:`DiagnosticError`.
    """
    prompt, pack, name = _prompt(text, folder)
    given: dict[str, Any] = read_values(file) if file is not None else {}
    given |= dict(map(_value, values))
    if not given:
        return prompt.render(_stand_ins(prompt, pack, name))
    purpose = _purpose(prompt, pack, name)
    known = (
        tuple({one.partition(".")[0] for one in names_of(examples(purpose, ("a", "b"), ("text",))[0])})
        if purpose
        else ()
    )
    wrong = unknown_values(prompt.inputs, given, known)
    if wrong:
        raise SpecError(wrong)
    return prompt.render(given)


def _prompt(text: str, folder: Path) -> tuple[Prompt, Pack | None, str]:
    path = Path(text)
    if path.is_file() or path.suffix == ".prompty":
        return read_prompt(path), None, path.stem
    whole, _, wanted = text.partition("@")
    owner, slash, name = whole.rpartition("/")
    place = Path(owner)
    if not slash or (path / MANIFEST).is_file():
        message = f"`{text}` names no prompt: write PACK/NAME, or a file that ends with .prompty"
        pack_here = shlex.quote(whole.rstrip("/")) or "PACK"
        hint = f"`hcmlang prompts show {pack_here}` shows the prompts of a pack"
        raise SpecError(Diagnostic("bad-value", message, hint=hint))
    if owner and (place / MANIFEST).is_file():
        pack: Pack | None = read_pack(place)
    else:
        pack, diagnostics = find_named(owner, read_lock(folder))
        if pack is None:
            raise SpecError(diagnostics)
    assert pack is not None
    if pack.version not in Range(checked_range(wanted, text)):
        message = f"{text} asks for versions {wanted}, and {pack.name} is {pack.version} here"
        hint = f"leave out what follows @, or `hcmlang prompts update {pack.name}@'{wanted}'`"
        raise SpecError(Diagnostic("wrong-version", message, hint=hint))
    if name not in pack.names("prompts"):
        message = f"the pack {pack.name} has no prompt `{name}`"
        close = did_you_mean(name, pack.names("prompts"))
        raise SpecError(Diagnostic("unknown-name", message, hint=close))
    return read_prompt(pack.path("prompts", name)), pack, name


def _value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    node, diagnostics = parse_tree(Source(f"--value {text}", value or "''"))
    if not equals or not name.strip() or node is None or has_errors(diagnostics):
        hint = "write it as --value sample=2, --value labels=[no,yes]"
        raise SpecError(Diagnostic("bad-value", f"`{text}` is not of the form NAME=VALUE", hint=hint))
    return name.strip(), plain(node)


def _purpose(prompt: Prompt, pack: Pack | None, name: str) -> Any:
    if pack is not None:
        return purpose_of(pack, name)[0]
    tree, _ = front_matter(split(prompt.text), prompt.source)
    return next((one for one in (text_of(tree, "purpose"), text_of(tree, "name"), name) if one in PURPOSES), None)


def _stand_ins(prompt: Prompt, pack: Pack | None, name: str) -> Mapping[str, Any]:
    """The values of the pack's first test of the prompt; else examples of what a prompt with its purpose is given."""
    for test in pack.manifest.tests.renders if pack is not None else ():
        assert pack is not None
        if test.prompt == name and (pack.folder / test.inputs).is_file():
            return read_values(pack.folder / test.inputs)
    purpose = _purpose(prompt, pack, name)
    return examples(purpose, ("negative", "positive"), ("text",))[0] if purpose is not None else {}
