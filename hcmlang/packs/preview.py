"""Render one prompt, with given values or with values that stand in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, SpecError, did_you_mean, has_errors
from hcmlang.files import MANIFEST
from hcmlang.packs import failure
from hcmlang.packs.check import purpose_of
from hcmlang.packs.manifest import MAX_YAML
from hcmlang.packs.pack import Pack
from hcmlang.packs.resolve import open_pack
from hcmlang.packs.source import checked_range
from hcmlang.packs.versions import parse_range
from hcmlang.prompts.inputs import unknown_values
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.prompts.render import Prompt, Turn, read_prompt
from hcmlang.prompts.values import examples, names_of
from hcmlang.spec.tree import MappingNode, parse_tree, plain, read_tree

_VALUES = "a YAML file of values has `NAME: VALUE` on each line; `--value NAME=VALUE` gives one without a file"


def render_prompt(text: str, folder: Path, file: Path | None, values: Sequence[str]) -> tuple[Turn, ...]:
    """Render a `.prompty` file, or `PACK/NAME` with or without `@RANGE`.

    The values are those of a YAML file and, with precedence, texts `NAME=VALUE`. Without any, hcmlang takes those of the pack's
    first test of the prompt, or examples. Raises :class:`DiagnosticError`.
    """
    prompt, pack, name = _find_prompt(text, folder)
    given = (read_values(file) if file is not None else {}) | dict(map(_parse_value, values))
    for test in pack.manifest.tests.renders if pack is not None and not given else ():
        if pack is not None and test.prompt == name and (pack.folder / test.inputs).is_file():
            return prompt.render(read_values(pack.folder / test.inputs))
    own_name = text_of(front_matter(split(prompt.text), prompt.source)[0], "name")
    names = [name] if pack is not None else [own_name, name]
    purpose = next((purpose for one in names if (purpose := purpose_of(one, prompt.source)[0])), None)
    example = examples(purpose, ("negative", "positive"), ("text",))[0] if purpose else {}
    if not given:
        return prompt.render(example)
    known = tuple({one.partition(".")[0] for one in names_of(example)})
    if mistakes := unknown_values(prompt.inputs, given, known):
        raise SpecError(mistakes)
    return prompt.render(given)


def _find_prompt(text: str, folder: Path) -> tuple[Prompt, Pack | None, str]:
    path = Path(text)
    if path.is_file() or path.suffix == ".prompty":
        return read_prompt(path), None, path.stem
    part, _, version_range = text.partition("@")
    owner, slash, name = part.rpartition("/")
    if not slash or (path / MANIFEST).is_file():
        hint = f"run `hcmlang prompts show {shlex.quote(part.rstrip('/')) or 'PACK'}` to see the prompts of a pack"
        message = f"`{text}` does not name a prompt: write PACK/NAME, or a file that ends with .prompty"
        raise failure("bad-value", message, hint)
    pack = open_pack(owner, folder)
    if pack.version not in parse_range(checked_range(version_range, text)):
        message = f"{text} asks for versions {version_range}, and {pack.name} is {pack.version} here"
        hint = f"leave out what follows @, or run `hcmlang prompts update {pack.name}@'{version_range}'`"
        raise failure("wrong-version", message, hint)
    names = pack.names("prompts")
    if name not in names:
        raise failure("unknown-name", f"the pack {pack.name} has no prompt `{name}`", did_you_mean(name, names))
    return read_prompt(pack.path("prompts", name)), pack, name


def read_values(path: Path) -> dict[str, Any]:
    """The values in a YAML file. Raises :class:`DiagnosticError`."""
    tree, diagnostics = read_tree(path, MAX_YAML)
    if tree is None or has_errors(diagnostics):
        hints = [one.hint if one.hint and one.code != "missing-file" else _VALUES for one in diagnostics]
        raise DiagnosticError(replace(one, hint=hint) for one, hint in zip(diagnostics, hints, strict=True))
    if not isinstance(tree, MappingNode):
        message = "values are a mapping of names to values"
        raise DiagnosticError(Diagnostic("wrong-type", message, tree.span, _VALUES))
    values: dict[str, Any] = plain(tree)
    return values


def _parse_value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    node, diagnostics = parse_tree(Source(f"--value {text}", value or "''"))
    if not equals or not name.strip() or node is None or has_errors(diagnostics):
        hint = "write it as --value sample=2 or --value labels=[no,yes]"
        raise failure("bad-value", f"`{text}` is not of the form NAME=VALUE", hint)
    return name.strip(), plain(node)
