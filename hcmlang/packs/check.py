"""Every mistake in a pack that can be told without a spec that uses it."""

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
from hcmlang.packs.pack import Pack, check_files, check_fit, find_pack
from hcmlang.prompts.parse import front_matter, split, text_of
from hcmlang.prompts.prompt_check import check_for
from hcmlang.prompts.values import Purpose
from hcmlang.spec.tree import MappingNode, Node

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
#: Labels and columns that a prompt of a pack is tried with; a spec that uses it tries it with its own.
_LABELS = ("negative", "positive")
_COLUMNS = (("text",), ("premise", "hypothesis"))


def check_pack(folder: Path) -> tuple[Pack | None, list[Diagnostic]]:
    """The pack in a folder and every mistake in it, but for the templates of the miner; None where there is no pack to speak
    of."""
    pack, diagnostics = find_pack(folder)
    if pack is None:
        return None, diagnostics
    diagnostics = [*diagnostics, *check_fit(pack), *check_files(pack)]
    for name in pack.names("prompts"):
        diagnostics += _prompt(pack, name)
    for name in pack.names("programs"):
        diagnostics += program_of(pack, name)[1]
    for name in pack.names("lists"):
        diagnostics += _list(pack, name)
    return pack, diagnostics


def purpose_of(pack: Pack, name: str) -> tuple[Purpose | None, list[Diagnostic]]:
    """What a prompt of the pack is for: its name, or `purpose` in its front matter."""
    text, source = _text(pack.path("prompts", name))
    tree, _ = front_matter(split(text), source)
    said = text_of(tree, "purpose") or name
    if said in PURPOSES:
        return said, []
    known = ", ".join(f"`purpose: {one}`" for one in PURPOSES)
    if not text_of(tree, "purpose"):
        message = f"what the prompt `{name}` is for is not said"
        return None, [
            Diagnostic("no-purpose", message, pack.span("prompts", name), f"its front matter has one of {known}")
        ]
    assert isinstance(tree, MappingNode)
    span = tree.entries["purpose"].node.span
    return None, [Diagnostic("no-purpose", f"`{said}` is no purpose of a prompt", span, did_you_mean(said, PURPOSES))]


def _prompt(pack: Pack, name: str) -> list[Diagnostic]:
    """Mistakes in a prompt: those for a task with one text, unless it is right for one with a pair."""
    path = pack.path("prompts", name)
    if not _readable(pack, path):
        return _unreadable(pack, ("prompts", name), path)
    purpose, diagnostics = purpose_of(pack, name)
    text, source = _text(path)
    diagnostics += _output(pack, front_matter(split(text), source)[0])
    if purpose is None:
        return diagnostics
    tried = [check_for(purpose, path, text, _LABELS, columns) for columns in _COLUMNS]
    return diagnostics + next((found for found in tried if not has_errors(found)), tried[0])


def _output(pack: Pack, tree: Node | None) -> Iterator[Diagnostic]:
    """The program that a prompt's answers are to keep, where its front matter names one."""
    named = text_of(tree, "output")
    if isinstance(tree, MappingNode) and named and named not in pack.names("programs"):
        hint = did_you_mean(named, pack.names("programs"))
        yield Diagnostic("unknown-name", f"the pack has no program `{named}`", tree.entries["output"].node.span, hint)


def program_of(pack: Pack, name: str) -> tuple[lang.Program | None, list[Diagnostic]]:
    """A program of the pack, checked with the labels of its tests; where they have fewer than two, any label will do."""
    path = pack.path("programs", name)
    if not _readable(pack, path):
        return None, _unreadable(pack, ("programs", name), path)
    text, source = _text(path)
    labels: dict[str, None] = {}
    for test in pack.manifest.tests.programs:
        if test.program == name:
            more = test.scope.get("labels")
            for label in (test.scope.get("target"), test.scope.get("wrong"), *(more if isinstance(more, list) else ())):
                labels |= {str(label): None} if label is not None else {}
    columns = tuple(dict.fromkeys(("text", *re.findall(r"\bexample\.(\w+)", text))))
    names = lang.default_names(tuple(labels), columns)
    if len(labels) < 2:  # no task has fewer, so there are others
        names = {key: Kind(kind.is_list, None, kind.meaning) for key, kind in names.items()}
    program, diagnostics = lang.analyse(text, Origin(source), names)
    return program, [_with_labels(one) if one.code == "impossible-guard" else one for one in diagnostics]


def _with_labels(one: Diagnostic) -> Diagnostic:
    """Where the labels of a pack come from, which its author may not know."""
    return replace(
        one, hint=f"{one.hint}; these are the labels in the pack's tests, `scope: {{labels: [...]}}` has more"
    )


def _list(pack: Pack, name: str) -> list[Diagnostic]:
    path = pack.path("lists", name)
    if not _readable(pack, path):
        return _unreadable(pack, ("lists", name), path)
    if not phrases_of(path):
        hint = "one word or phrase on each line; lines that begin with # are comments"
        message = f"{pack.names('lists')[name]} holds no words"
        return [Diagnostic("empty-list", message, pack.span("lists", name), hint)]
    return []


def phrases_of(path: Path) -> list[str]:
    """The words and phrases of a list, each once."""
    lines = [line.strip() for line in read_file(path).splitlines()]
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def _text(path: Path) -> tuple[str, Source]:
    text = read_file(path)
    return text, Source(str(path), text)


def _readable(pack: Pack, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(pack.folder.resolve()) and path.is_file() and bool(read_file(path) or True)
    except (OSError, ValueError):
        return False


def _unreadable(pack: Pack, place: tuple[str, str], path: Path) -> list[Diagnostic]:
    """A file that is there and no text; that it is missing is told elsewhere."""
    if not path.is_file():
        return []
    return [
        Diagnostic("unreadable-file", f"{path.name} is no text in UTF-8", pack.span(*place), "save the file as UTF-8")
    ]
