"""Find every mistake in a pack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, did_you_mean, has_errors
from hcmlang.lang.imports import read_file
from hcmlang.lang.scope import Kind
from hcmlang.packs.archive import wrong_name
from hcmlang.packs.pack import LEFT_OUT, SECTIONS, Pack, Section, check_fit, find_pack, is_left_out, scan
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.prompts.prompt_check import check_for
from hcmlang.prompts.values import Purpose
from hcmlang.spec.tree import MappingNode

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
#: Labels and columns to try prompts with. A spec that uses the pack checks them with its own.
_LABELS = ("negative", "positive")
_COLUMNS = (("text",), ("premise", "hypothesis"))
_YAML = (".yaml", ".yml")
_ENDINGS = {"prompts": (".prompty",), "programs": (".hcm",), "lists": (".txt",), "templates": _YAML}


def check_pack(folder: Path) -> tuple[Pack | None, list[Diagnostic]]:
    """The pack in a folder and every mistake in it, except in templates of the miner; None if there is no pack."""
    pack, diagnostics = find_pack(folder)
    if pack is None:
        return None, diagnostics
    diagnostics = [*diagnostics, *check_fit(pack), *check_files(pack)]
    for name in pack.names("prompts"):
        diagnostics += _check_prompt(pack, name)
    for name in pack.names("programs"):
        diagnostics += load_program(pack, name)[1]
    for name, file in pack.names("lists").items():
        source, problems = _source(pack, "lists", name)
        diagnostics += problems
        if source is not None and not re.search(r"^\s*[^\s#]", source.text, re.MULTILINE):
            hint = "write one word or phrase on each line; lines that start with # are comments"
            diagnostics.append(Diagnostic("empty-list", f"{file} has no words", pack.span("lists", name), hint))
    return pack, diagnostics


def check_files(pack: Pack) -> Iterator[Diagnostic]:
    """Mistakes in the files themselves: missing, outside the pack, links, names that others cannot store."""
    tests, span = pack.manifest.tests, pack.span("name")
    for link in scan(pack.folder)[1]:
        yield Diagnostic("pack-link", f"{link} is a link; a pack contains only files", span, "replace it by the file")
    if why := wrong_name(pack.files):
        hint = "rename the file: use letters, digits, `-` and `_`, and no two names that differ only in case"
        yield Diagnostic("pack-name", f"{why}; others could not use the pack", span, hint)
    for section in SECTIONS:
        for name, file in pack.names(section).items():
            yield from _check_file(pack, file, (section, name), _ENDINGS[section])
    for number, render in enumerate(tests.renders):
        place = ("tests", "renders", number)
        yield from _check_name(pack, "prompts", render.prompt, (*place, "prompt"))
        yield from _check_file(pack, render.inputs, (*place, "inputs"), _YAML)
        if not render.expect.endswith(".txt") or is_left_out(render.expect):
            message, hint = (
                f"{render.expect} cannot hold expected messages",
                "name a text file of the pack: tests/NAME.txt",
            )
            yield Diagnostic("wrong-ending", message, pack.span(*place, "expect"), hint)
    for number, test in enumerate(tests.programs):
        yield from _check_name(pack, "programs", test.program, ("tests", "programs", number, "program"))


def _check_file(pack: Pack, file: str, place: tuple[str | int, ...], endings: tuple[str, ...]) -> Iterator[Diagnostic]:
    path, span = pack.folder / file, pack.span(*place)
    try:
        inside, exists = path.resolve().is_relative_to(pack.folder.resolve()), path.is_file()
    except (OSError, ValueError) as error:
        yield Diagnostic("unreadable-file", f"cannot look for {file[:80]}: {error}", span)
        return
    if not inside:
        yield Diagnostic("outside-pack", f"{file} is outside the pack", span)
    elif is_left_out(file):
        yield Diagnostic("outside-pack", f"{file} is not part of the pack: it leaves out {', '.join(LEFT_OUT)}", span)
    elif not exists:
        message = f"there is no file {file} in the pack"
        yield Diagnostic("missing-file", message, span, did_you_mean(file, pack.files))
    elif path.suffix not in endings:
        yield Diagnostic("wrong-ending", f"the name of this file must end with {' or '.join(endings)}", span)


def _check_name(pack: Pack, section: Section, name: str, place: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    if name not in pack.names(section):
        message = f"the pack has no {section.removesuffix('s')} `{name}`"
        yield Diagnostic("unknown-name", message, pack.span(*place), did_you_mean(name, pack.names(section)))


def _source(pack: Pack, section: Section, name: str) -> tuple[Source | None, list[Diagnostic]]:
    """A file of the pack; None if :func:`check_files` reports it, or if it is not text."""
    path = pack.path(section, name)
    try:
        if path.is_file() and path.resolve().is_relative_to(pack.folder.resolve()):
            return Source(str(path), read_file(path)), []
    except (OSError, ValueError):
        message = f"{path.name} is not UTF-8 text"
        return None, [Diagnostic("unreadable-file", message, pack.span(section, name), "save the file as UTF-8")]
    return None, []


def purpose_of(name: str, source: Source) -> tuple[Purpose | None, list[Diagnostic]]:
    """The purpose of a prompt: `purpose` in its front matter, otherwise its name."""
    tree, _ = front_matter(split(source.text), source)
    written = text_of(tree, "purpose")
    if (purpose := written or name) in PURPOSES:
        return purpose, []
    if not isinstance(tree, MappingNode) or not written:
        message = f"the prompt `{name}` does not say its purpose"
        hint = f"add one of {', '.join(f'`purpose: {one}`' for one in PURPOSES)} to its front matter"
        return None, [Diagnostic("no-purpose", message, None, hint)]
    span = tree.entries["purpose"].node.span
    return None, [Diagnostic("no-purpose", f"`{written}` is not a purpose", span, did_you_mean(written, PURPOSES))]


def _check_prompt(pack: Pack, name: str) -> Iterator[Diagnostic]:
    """Mistakes in a prompt. It may fit tasks with one text, with a pair, or both."""
    source, problems = _source(pack, "prompts", name)
    yield from problems
    if source is None:
        return
    purpose, problems = purpose_of(name, source)
    yield from (one if one.span else replace(one, span=pack.span("prompts", name)) for one in problems)
    tree, _ = front_matter(split(source.text), source)
    program = text_of(tree, "output")
    if isinstance(tree, MappingNode) and program and program not in pack.names("programs"):
        hint, span = did_you_mean(program, pack.names("programs")), tree.entries["output"].node.span
        yield Diagnostic("unknown-name", f"the pack has no program `{program}`", span, hint)
    if purpose is not None:
        path = Path(source.name)
        tried = [check_for(purpose, path, source.text, _LABELS, columns) for columns in _COLUMNS]
        yield from next((problems for problems in tried if not has_errors(problems)), tried[0])


def load_program(pack: Pack, name: str) -> tuple[lang.Program | None, list[Diagnostic]]:
    """A program of the pack, checked with the labels in its tests. With fewer than two, any label is allowed."""
    source, problems = _source(pack, "programs", name)
    if source is None:
        return None, problems
    labels: dict[str, None] = {}
    for scope in (test.scope for test in pack.manifest.tests.programs if test.program == name):
        more = scope.get("labels")
        given = (scope.get("target"), scope.get("wrong"), *(more if isinstance(more, list) else ()))
        labels |= {str(label): None for label in given if label is not None}
    columns = tuple(dict.fromkeys(("text", *re.findall(r"\bexample\.(\w+)", source.text))))
    names = lang.default_names(tuple(labels), columns)
    if len(labels) < 2:
        names = {key: Kind(kind.is_list, None, kind.meaning) for key, kind in names.items()}
    program, diagnostics = lang.analyse(source.text, Origin(source), names)
    more_labels = "; these are the labels in the pack's tests, add others with `scope: {labels: [...]}`"
    return program, [
        replace(one, hint=f"{one.hint}{more_labels}") if one.code == "impossible-guard" else one for one in diagnostics
    ]
