"""Relations between files: the bases of a spec, the programs in it, and the specs that use a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from hcmlang.lang.scope import Kind, default_names
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.index import Index, imported, imported_path
from hcmlang.lsp.outline import Block, Outline
from hcmlang.prompts.prompt_check import inputs
from hcmlang.spec.load import absolute

PROGRAM = ("generate", "program")
#: Limits of the search for the specs that use a program: files searched, and specs found.
_MOST_FILES = 300
_MOST_OWNERS = 5
_MOST_BASES = 20


@dataclass(frozen=True)
class Program:
    """A program in a document: the whole document, or a block of a spec."""

    index: Index
    path: Path
    block: Block | None = None

    def inner(self, offset: int) -> int:
        """Convert an offset in the document to an offset in the program."""
        return self.block.inner(offset) if self.block else offset

    def outer(self, offset: int) -> int:
        """Convert an offset in the program to an offset in the document."""
        return self.block.outer(offset) if self.block else offset


def programs(document: Document) -> list[Program]:
    """The programs in a document."""
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
    """The program at an offset of a document."""
    if document.kind == "spec" and Outline(document.text).cursor(offset).where != "none":
        return None
    for program in programs(document):
        if program.block is None:
            return program
        line = document.text.rfind("\n", 0, offset) + 1
        end = program.block.outer(len(program.block.text))
        first = document.text.rfind("\n", 0, program.block.starts[0]) + 1
        if first <= line and offset <= max(end, program.block.starts[-1]):
            return program
    return None


# --------------------------------------------------------------------------------------------------------------- specs


def with_bases(document: Document, files: Files) -> list[Outline]:
    """The outlines of a spec and of its bases, each before its own base."""
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
    """The texts at a path, from the first outline that has any."""
    return next((texts for outline in outlines if (texts := outline.texts(path))), ())


def keys_of(outlines: Iterable[Outline], path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys below a path in all outlines."""
    return tuple(dict.fromkeys(str(child.path[-1]) for outline in outlines for child in outline.children(path)))


# --------------------------------------------------------------------------------------------------------------- scope


def names_of(document: Document, files: Files, nearby: Iterable[Path] = ()) -> dict[str, Kind]:
    """The values in scope of a document's programs, from the spec that uses them if there is one nearby."""
    if document.kind == "spec":
        return _spec_names(document, files)
    if document.kind == "program":
        for owner in owners(document.path, files, nearby):
            text = files.text(owner)
            spec = Document(owner, text or "")
            if spec.kind == "spec":
                return _spec_names(spec, files)
    columns = [field.name for field in Index(document.text).fields] if document.kind == "program" else []
    names = open_names(columns)
    if document.kind == "prompt":
        names |= inputs(document.text)
    return names


def open_names(columns: Iterable[str]) -> dict[str, Kind]:
    """The values in scope if no spec gives the labels and columns."""
    names = default_names((), tuple(dict.fromkeys(("text", *columns))))
    return {name: Kind(kind.is_list, kind.values or None, kind.meaning) for name, kind in names.items()}


def _spec_names(spec: Document, files: Files) -> dict[str, Kind]:
    outlines = with_bases(spec, files)
    labels, columns = texts_of(outlines, ("task", "labels")), texts_of(outlines, ("task", "text"))
    return default_names(labels, columns or ("text",)) if labels else open_names(columns)


# -------------------------------------------------------------------------------------------------------------- owners


def neighbours(path: Path) -> list[Path]:
    """Files that may use a program: specs and programs in its folder, the parent folder and the sibling folders."""
    folder, above = path.parent, path.parent.parent
    near = chain(folder.glob("*"), above.glob("*"), above.glob("*/*"))
    files = (file for file in islice(near, 10 * _MOST_FILES) if file.suffix in (".yaml", ".yml", ".hcm"))
    visible = (file for file in files if not any(part.startswith(".") for part in file.relative_to(above).parts))
    return list(islice(dict.fromkeys(visible), _MOST_FILES))


def owners(path: Path, files: Files, nearby: Iterable[Path]) -> list[Path]:
    """The specs that use a program, directly or through other programs, and programs that nothing else uses."""
    candidates = {real(path) for path in (*files.opened, *nearby)}
    users: dict[Path, None] = {}
    waiting, seen = [real(path)], {real(path)}
    while waiting and len(users) < _MOST_OWNERS:
        target = waiting.pop(0)
        using = [file for file in sorted(candidates - seen) if _uses(file, target, files)]
        seen.update(using)
        for file in using:
            if file.suffix == ".hcm":
                waiting.append(file)
            else:
                users[file] = None
        if not using and target != real(path):
            users[target] = None
    return list(users)[:_MOST_OWNERS]


def _uses(file: Path, target: Path, files: Files) -> bool:
    """Whether a spec or program uses another program."""
    text = files.text(file)
    if text is None or target.name not in text:
        return False
    document = Document(file, text)
    imports = (entry for program in programs(document) for entry in program.index.imports)
    if any(imported_path(entry, file) == target for entry in imports):
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
