"""Completion in specs and prompts; programs have :mod:`hcmlang.lsp.program_completion`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from hcmlang.lang.scope import Kind
from hcmlang.lsp import schema
from hcmlang.lsp.documents import Document, Files
from hcmlang.lsp.hover import meaning
from hcmlang.lsp.outline import Cursor, Outline
from hcmlang.lsp.projects import PROGRAM, keys_of, program_at, with_bases
from hcmlang.prompts.parse import split
from hcmlang.spec.registries import SOURCES

Sort = Literal["key", "value", "keyword", "function", "rule", "field", "text", "list", "file"]

_DATA = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")
#: Keys of a spec whose values are files, and the endings of these files.
_FILES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (PROGRAM, (".hcm",)),
    ((*PROGRAM, "*"), (".hcm",)),
    (("extends",), (".yaml", ".yml")),
    (("characterize", "templates"), (".yaml", ".yml")),
    (("characterize", "prompt"), (".prompty",)),
    (("generate", "prompt"), (".prompty",)),
    (("generate", "judge_prompt"), (".prompty",)),
    *((("teachers", "*", name), (".jsonl",)) for name in ("hypotheses", "instances", "generic")),
    *((("task", part, "*", *rest), _DATA) for part in ("data", "challenge") for rest in ((), ("path",))),
)
MOST_FILES = 200
WORD = re.compile(r"[A-Za-z_][\w.]*\Z")


@dataclass(frozen=True)
class Item:
    """A completion: `insert` replaces the text between the offsets `start` and `end`."""

    label: str
    sort: Sort
    start: int
    end: int
    insert: str
    detail: str = ""
    documentation: str = ""
    rank: int = 0
    """Items with a lower rank are shown first."""


def complete(document: Document, offset: int, names: Mapping[str, Kind], files: Files) -> list[Item]:
    """The completions at `offset`. `names` are the values in scope of the document's programs."""
    from hcmlang.lsp.program_completion import complete_program

    if document.kind == "prompt":
        return list(_prompt(document.text, offset, names))
    program = program_at(document, offset)
    if program is not None:
        inner, outer = program.inner(offset), program.outer
        if outer(inner) != offset:  # in the indentation of a block
            return []
        items = complete_program(program, inner, names, files)
        return [replace(item, start=outer(item.start), end=outer(item.end)) for item in items]
    return list(_spec(document, offset, files)) if document.kind == "spec" else []


def _spec(document: Document, offset: int, files: Files) -> Iterator[Item]:
    outline = Outline(document.text)
    cursor = outline.cursor(offset)
    if cursor.where in ("key", "item"):
        yield from _keys(document.text, outline, cursor, offset)
    if cursor.where in ("value", "item"):
        yield from _values(document, outline, cursor, offset, files)


def _keys(text: str, outline: Outline, cursor: Cursor, offset: int) -> Iterator[Item]:
    here = outline.key_at(offset)
    present = {key for key in outline.siblings(cursor.path) if here is None or key != here.path[-1]}
    end = here.key[1] if here is not None and here.key[0] == cursor.start else offset
    colon = "" if re.match(r"[ \t]*:", text[end:]) else ": "
    for number, key in enumerate(schema.keys(cursor.path, outline.siblings)):
        if key.name not in present:
            rank = number if key.required else 100 + number
            insert = key.name + colon
            yield Item(key.name, "key", cursor.start, end, insert, key.kind, key.markdown(), rank)


def _values(document: Document, outline: Outline, cursor: Cursor, offset: int, files: Files) -> Iterator[Item]:
    start, end = _word(document.text, cursor, offset)
    path = cursor.path
    for value, documentation in schema.values(path, outline.siblings).items():
        yield Item(value, "value", start, end, value, documentation=documentation)
    if path[:1] == ("arms",) and len(path) == 2 and isinstance(path[1], int):
        present = {child.text for child in outline.children(("arms",)) if child.path != path}
        arms = {"none": "the classifier as it is", **{name: kind.summary for name, kind in SOURCES.items()}}
        arms |= dict.fromkeys(keys_of(with_bases(document, files), ("teachers",)), "a teacher")
        for arm, detail in arms.items():
            if arm not in present:
                yield Item(arm, "value", start, end, arm, detail)
    for pattern, endings in _FILES:
        if len(pattern) == len(path) and all(a in ("*", b) for a, b in zip(pattern, path, strict=True)):
            for name in files_near(document.path.parent, endings):
                yield Item(name, "file", start, end, name)


def _word(text: str, cursor: Cursor, offset: int) -> tuple[int, int]:
    """The word at the cursor, without quotes."""
    rest = re.match(r"[^\s,\[\]{}#]*" if cursor.flow else r"[^\s#]*", text[offset:])
    start = cursor.start + (text[cursor.start : cursor.start + 1] in ('"', "'"))
    end = offset + (rest.end() if rest else 0)
    end -= text[offset:end].endswith(('"', "'"))
    return min(start, offset), max(end, offset)


def files_near(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Files in a folder, its subfolders and its sibling folders, as relative paths."""
    names: list[str] = []
    for base, pattern, prefix in ((folder, "*", ""), (folder, "*/*", ""), (folder.parent, "*/*", "../")):
        near = (path.relative_to(base) for path in islice(base.glob(pattern), 20 * MOST_FILES))
        for name in near:
            hidden = any(part.startswith(".") for part in name.parts)
            if name.suffix in endings and not hidden and not (prefix and name.parts[0] == folder.name):
                names.append(prefix + name.as_posix())
        if len(names) > MOST_FILES:
            break
    return sorted(names[:MOST_FILES], key=lambda name: (name.count("/"), name))


def _prompt(text: str, offset: int, names: Mapping[str, Kind]) -> Iterator[Item]:
    """The values in scope, between the braces of a template."""
    body = split(text).body_start
    before = text[body:offset]
    opened = max(before.rfind("{{"), before.rfind("{%"))
    if offset < body or opened < 0 or opened < max(before.rfind("}}"), before.rfind("%}")):
        return
    word = WORD.search(before)
    start = offset - len(word[0]) if word else offset
    for name, kind in names.items():
        sort: Sort = "list" if kind.is_list else "text"
        yield Item(name, sort, start, offset, name, sort, meaning(name, kind))
