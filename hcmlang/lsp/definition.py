"""Go to definition, find references, rename, and list symbols."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hcmlang.lang.words import reserved
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.index import Occurrence, imported, imported_path
from hcmlang.lsp.outline import Entry, Outline
from hcmlang.lsp.projects import PROGRAM, Program, program_at, programs, with_bases
from hcmlang.spec.load import absolute


@dataclass(frozen=True)
class Place:
    """A range of a file, in offsets."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class Symbol:
    """A rule or field: the range of its definition, and the range of its name."""

    name: str
    is_field: bool
    start: int
    stop: int
    name_start: int
    name_end: int


class CannotRename(Exception):
    """Why a name cannot be changed, or cannot be changed to the new one."""


# ---------------------------------------------------------------------------------------------------------- definition


def definition(document: Document, offset: int, files: Files) -> Place | None:
    """The definition of the rule, field, word list, teacher or file at `offset`."""
    program = program_at(document, offset)
    if program is not None:
        return _in_program(program, program.inner(offset), files)
    return _in_spec(document, offset, files) if document.kind == "spec" else None


def _in_program(program: Program, offset: int, files: Files) -> Place | None:
    index = program.index
    for entry in index.imports:
        if entry.start <= offset <= entry.end:
            return _file(imported_path(entry, program.path))
    name = index.occurrence_at(offset)
    if name is None or name.role == "option":
        return None
    own = index.definition(name.name)
    if own is not None:
        return Place(program.path, program.outer(own.start), program.outer(own.end))
    other = imported(index, program.path, files)
    if name.name in other.rules:
        path, _, rule = other.rules[name.name]
        return Place(path, rule.start, rule.end)
    return _file(other.lists[name.name][0]) if name.name in other.lists else None


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
    """The start of a file; None if it does not exist."""
    return Place(path, 0, 0) if path.is_file() else None


# ------------------------------------------------------------------------------------------------- references, renaming


def references(document: Document, offset: int) -> list[Place]:
    """All uses of the rule, field or word list at `offset` in its program, including the definition."""
    program, name = _name_at(document, offset)
    return _places(program, name.name) if program and name and _is_own(program, name.name) else []


def _name_at(document: Document, offset: int) -> tuple[Program | None, Occurrence | None]:
    """The program at `offset`, and the name of a rule, field, word list or value there."""
    program = program_at(document, offset)
    name = program.index.occurrence_at(program.inner(offset)) if program else None
    return program, name if name is not None and name.role != "option" else None


def _places(program: Program, name: str) -> list[Place]:
    uses = (use for use in program.index.occurrences if use.name == name and use.role != "option")
    return [Place(program.path, program.outer(use.start), program.outer(use.end)) for use in uses]


def _is_own(program: Program, name: str) -> bool:
    return program.index.definition(name) is not None or name in {entry.name for entry in program.index.imports}


def renamable(document: Document, offset: int) -> Place | None:
    """The name at `offset`, if it can be changed; None if there is none.

    Raises :class:`CannotRename` if the name is defined in another file.
    """
    program, name = _name_at(document, offset)
    if program is None or name is None or name.name in reserved():
        return None
    if not _is_own(program, name.name):
        raise CannotRename(f"`{name.name}` is not defined in this program")
    return Place(program.path, program.outer(name.start), program.outer(name.end))


def rename(document: Document, offset: int, new: str) -> list[Place]:
    """The places to change to `new`. Raises :class:`CannotRename` if `new` is not a valid name, or is in use."""
    place = renamable(document, offset)
    program = program_at(document, offset)
    if place is None or program is None:
        raise CannotRename("there is no rule, field or word list here")
    if not re.fullmatch(r"[A-Za-z_]\w*", new):
        raise CannotRename(f"`{new}` is not a valid name: use letters, digits and `_`, and start with a letter")
    if new in reserved():
        raise CannotRename(f"`{new}` is a word of the language")
    old = document.text[place.start : place.end]
    if new != old and _is_own(program, new):
        raise CannotRename(f"`{new}` already exists")
    return _places(program, old)


# ------------------------------------------------------------------------------------------------------------- symbols


def symbols(document: Document) -> list[Symbol]:
    """The rules and fields of a document's programs, in order."""
    result = []
    for program in programs(document):
        outer = program.outer
        for entry in sorted({*program.index.fields, *program.index.rules}, key=lambda entry: entry.start):
            places = map(outer, (entry.start, entry.stop, entry.start, entry.end))
            result.append(Symbol(entry.name, entry in program.index.fields, *places))
    return result
