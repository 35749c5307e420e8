"""How files hang together: specs with what they extend, the programs in them, and the specs that name a program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hcmlang.lang.scope import Kind, default_names
from hcmlang.lsp import prompty
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.index import Index, imported, imported_path
from hcmlang.lsp.outline import Block, Outline
from hcmlang.spec.load import absolute

PROGRAM = ("generate", "program")
#: As many files are looked into for the spec that names a program, and as many specs are taken for it.
_MOST_FILES = 300
_MOST_OWNERS = 5
_MOST_BASES = 20


@dataclass(frozen=True)
class Program:
    """A program as it stands in a document: the whole of it, or a block of a spec."""

    index: Index
    path: Path
    block: Block | None = None

    def inner(self, offset: int) -> int:
        return self.block.inner(offset) if self.block else offset

    def outer(self, offset: int) -> int:
        return self.block.outer(offset) if self.block else offset


def programs(document: Document) -> list[Program]:
    """The programs whose text stands in a document."""
    if document.kind == "program":
        return [Program(Index(document.text), document.path)]
    if document.kind != "spec":
        return []
    outline = Outline(document.text)
    blocks = [
        outline.block(entry)
        for entry in outline.entries
        if entry.style == "block" and (entry.path == PROGRAM or entry.path[:-1] == PROGRAM)
    ]
    return [Program(Index(block.text), document.path, block) for block in blocks]


def program_at(document: Document, offset: int) -> Program | None:
    """The program that a place of a document stands in."""
    if document.kind == "spec" and Outline(document.text).cursor(offset).where != "none":
        return None
    for one in programs(document):
        if one.block is None:
            return one
        line = document.text.rfind("\n", 0, offset) + 1
        end = one.block.outer(len(one.block.text))
        first = document.text.rfind("\n", 0, one.block.starts[0]) + 1
        if first <= line and offset <= max(end, one.block.starts[-1]):
            return one
    return None


# --------------------------------------------------------------------------------------------------------------- specs


def with_bases(document: Document, files: Files) -> list[Outline]:
    """The outline of a spec and of those that it extends, each before its base."""
    outlines, path, seen = [Outline(document.text)], document.path, {real(document.path)}
    while len(outlines) < _MOST_BASES:
        extends = outlines[-1].entry(("extends",))
        if extends is None or not extends.text:
            break
        path = real(path.parent / extends.text)
        text = None if path in seen else files.text(path)
        if text is None:
            break
        seen.add(path)
        outlines.append(Outline(text))
    return outlines


def texts_of(outlines: Iterable[Outline], path: tuple[str, ...]) -> tuple[str, ...]:
    """A list in a spec, from the first outline that has it."""
    return next((texts for one in outlines if (texts := one.texts(path))), ())


def keys_of(outlines: Iterable[Outline], path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys below a path, of all outlines: mappings are merged."""
    return tuple(dict.fromkeys(str(child.path[-1]) for one in outlines for child in one.children(path)))


# --------------------------------------------------------------------------------------------------------------- scope


def names_of(document: Document, files: Files, nearby: Iterable[Path] = ()) -> dict[str, Kind]:
    """The values in scope of a document's programs; those of the spec that names it, where there is one nearby."""
    if document.kind == "spec":
        return _spec_names(document, files)
    if document.kind == "program":
        for owner in owners(document.path, files, nearby):
            text = files.text(owner)
            spec = Document(owner, text or "")
            if spec.kind == "spec":
                return _spec_names(spec, files)
    columns = [one.name for one in Index(document.text).fields] if document.kind == "program" else []
    names = open_names(columns)
    if document.kind == "prompt":
        names |= prompty.inputs(document.text)
    return names


def open_names(columns: Iterable[str]) -> dict[str, Kind]:
    """The values in scope where no spec says which labels and columns there are."""
    names = default_names((), tuple(dict.fromkeys(("text", *columns))))
    return {name: Kind(kind.is_list, kind.values or None, kind.meaning) for name, kind in names.items()}


def _spec_names(spec: Document, files: Files) -> dict[str, Kind]:
    outlines = with_bases(spec, files)
    labels, columns = texts_of(outlines, ("task", "labels")), texts_of(outlines, ("task", "text"))
    return default_names(labels, columns or ("text",)) if labels else open_names(columns)


# -------------------------------------------------------------------------------------------------------------- owners


def neighbours(path: Path) -> list[Path]:
    """Files near a program that may be the spec that names it, or a program that imports it: those in its folder, in
    the folder above and in the folders beside its own."""
    folder = path.parent
    folders = [folder, folder.parent, *sorted(one for one in _scan(folder.parent) if one.is_dir())]
    found: dict[Path, None] = {}
    for one in dict.fromkeys(folders):
        found |= dict.fromkeys(file for file in _scan(one) if file.suffix in (".yaml", ".yml", ".hcm"))
        if len(found) > _MOST_FILES:
            break
    return list(found)[:_MOST_FILES]


def _scan(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number > 10 * _MOST_FILES:
                    return
                if not entry.name.startswith("."):
                    yield Path(entry.path)
    except OSError:
        return


def owners(path: Path, files: Files, nearby: Iterable[Path]) -> list[Path]:
    """The specs and programs that name a program, directly or through other programs, and that no other one names."""
    candidates = {real(one) for one in (*files.opened, *nearby)}
    found: dict[Path, None] = {}
    waiting, seen = [real(path)], {real(path)}
    while waiting and len(found) < _MOST_OWNERS:
        target = waiting.pop(0)
        naming = [one for one in sorted(candidates - seen) if _names(one, target, files)]
        seen.update(naming)
        for one in naming:
            if one.suffix == ".hcm":
                waiting.append(one)
            else:
                found[one] = None
        if not naming and target != real(path):
            found[target] = None
    return list(found)[:_MOST_OWNERS]


def _names(file: Path, target: Path, files: Files) -> bool:
    """Whether a spec or program names another program."""
    text = files.text(file)
    if text is None or target.name not in text:
        return False
    document = Document(file, text)
    if any(imported_path(one, file) == target for program in programs(document) for one in program.index.imports):
        return True
    if document.kind != "spec":
        return False
    entries = Outline(text).entries
    written = [entry.text for entry in entries if entry.path == PROGRAM or entry.path[:-1] == PROGRAM]
    return any(real(Path(absolute(name, file.parent))) == target for name in written if name.endswith(".hcm"))


def lists_of(program: Program, files: Files) -> dict[str, Kind]:
    """The word lists that a program imports."""
    lists = imported(program.index, program.path, files).lists
    return {name: Kind(True, words, "a word list") for name, (_, words) in lists.items()}
