"""Where what a place speaks of is defined, where else it is spoken of, and other names for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hcmlang.lang.words import reserved
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.index import imported, imported_path
from hcmlang.lsp.outline import Entry, Outline
from hcmlang.lsp.projects import PROGRAM, Program, program_at, programs, with_bases
from hcmlang.spec.load import absolute


@dataclass(frozen=True)
class Place:
    """A stretch of a file, in offsets."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class Symbol:
    """A rule or field: the stretch of its definition, and that of its name."""

    name: str
    is_field: bool
    start: int
    stop: int
    name_start: int
    name_end: int


class CannotRename(Exception):
    """Why a name cannot be changed, or not to this one."""


# ---------------------------------------------------------------------------------------------------------- definition


def definition(document: Document, offset: int, files: Files) -> Place | None:
    """Where the rule, field, word list, teacher or file at `offset` is defined."""
    program = program_at(document, offset)
    if program is not None:
        return _in_program(program, program.inner(offset), files)
    return _in_spec(document, offset, files) if document.kind == "spec" else None


def _in_program(program: Program, offset: int, files: Files) -> Place | None:
    index = program.index
    for one in index.imports:
        if one.start <= offset <= one.end:
            return _file(imported_path(one, program.path))
    name = index.occurrence_at(offset)
    if name is None or name.role == "option":
        return None
    own = index.definition(name.name)
    if own is not None:
        return Place(program.path, program.outer(own.start), program.outer(own.end))
    found = imported(index, program.path, files)
    if name.name in found.rules:
        path, _, rule = found.rules[name.name]
        return Place(path, rule.start, rule.end)
    return _file(found.lists[name.name][0]) if name.name in found.lists else None


def _in_spec(document: Document, offset: int, files: Files) -> Place | None:
    entry = Outline(document.text).value_at(offset)
    if entry is None:
        return None
    if entry.path[:1] == ("arms",):
        return _teacher(document, entry.text, files)
    if not _names_a_file(entry):
        return None
    return _file(real(Path(absolute(entry.text, document.path.parent))))


def _names_a_file(entry: Entry) -> bool:
    path = entry.path
    in_data = path[:2] in (("task", "data"), ("task", "challenge")) and (len(path) == 3 or path[3:] == ("path",))
    is_program = (path == PROGRAM or path[:-1] == PROGRAM) and entry.text.endswith(".hcm")
    return in_data or is_program or path in (("extends",), ("characterize", "templates"))


def _teacher(document: Document, name: str, files: Files) -> Place | None:
    outlines = with_bases(document, files)
    path = document.path
    for outline in outlines:
        entry = outline.entry(("teachers", name))
        if entry is not None:
            return Place(path, *entry.key)
        extends = outline.entry(("extends",))
        path = real(path.parent / extends.text) if extends else path
    return None


def _file(path: Path) -> Place | None:
    """The begin of a file, if there is one."""
    return Place(path, 0, 0) if path.is_file() else None


# ------------------------------------------------------------------------------------------------- references, renaming


def references(document: Document, offset: int) -> list[Place]:
    """Where the program at `offset` speaks of the same rule, field or word list; its definition included."""
    program = program_at(document, offset)
    name = program.index.occurrence_at(program.inner(offset)) if program else None
    if program is None or name is None or name.role == "option" or not _is_own(program, name.name):
        return []
    return list(_places(program, name.name))


def _places(program: Program, name: str) -> Iterator[Place]:
    for one in program.index.occurrences:
        if one.name == name and one.role != "option":
            yield Place(program.path, program.outer(one.start), program.outer(one.end))


def _is_own(program: Program, name: str) -> bool:
    lists = {one.name for one in program.index.imports}
    return program.index.definition(name) is not None or name in lists


def renamable(document: Document, offset: int) -> Place | None:
    """The name at `offset`, if it is one that can be changed in this file alone: Raises :class:`CannotRename` where it
    comes from another file."""
    program = program_at(document, offset)
    name = program.index.occurrence_at(program.inner(offset)) if program else None
    if program is None or name is None or name.role == "option" or name.name in reserved():
        return None
    if not _is_own(program, name.name):
        raise CannotRename(f"`{name.name}` is not defined in this program")
    return Place(program.path, program.outer(name.start), program.outer(name.end))


def rename(document: Document, offset: int, new: str) -> list[Place]:
    """The places to write `new` at. Raises :class:`CannotRename` where it is no name, or another one's."""
    place = renamable(document, offset)
    program = program_at(document, offset)
    if place is None or program is None:
        raise CannotRename("there is no rule, field or word list here")
    if not re.fullmatch(r"[A-Za-z_]\w*", new):
        raise CannotRename(f"`{new}` is no name: letters, digits and `_`, beginning with a letter")
    if new in reserved():
        raise CannotRename(f"`{new}` is a word of the language")
    old = document.text[place.start : place.end]
    if new != old and _is_own(program, new):
        raise CannotRename(f"there is a `{new}` already")
    return list(_places(program, old))


# ------------------------------------------------------------------------------------------------------------- symbols


def symbols(document: Document) -> list[Symbol]:
    """The rules and fields of a document's programs, in their order."""
    found = []
    for program in programs(document):
        outer = program.outer
        rules = [one for one in program.index.rules if one not in program.index.fields]
        for one in sorted((*program.index.fields, *rules), key=lambda one: one.start):
            places = map(outer, (one.start, one.stop, one.start, one.end))
            found.append(Symbol(one.name, one.is_field or one in program.index.fields, *places))
    return found
