"""One layout for the programs of a document."""

from __future__ import annotations

from dataclasses import dataclass

from lark.exceptions import LarkError

from hcmlang.diagnostics import DiagnosticError, Origin, Source
from hcmlang.lang import parse
from hcmlang.lang.format import WIDTH, format_program
from hcmlang.lsp.documents import Document
from hcmlang.lsp.projects import programs


@dataclass(frozen=True)
class Edit:
    """A text to write in place of the one between two offsets."""

    start: int
    end: int
    text: str


def formatted(document: Document) -> list[Edit]:
    """The edits that lay the programs of a document out; none for a program with a syntax error."""
    edits = []
    for program in programs(document):
        text = program.index.text
        indent = 0
        if program.block is not None and program.block.starts:
            # Empty lines behind a block part it from the next key; they stay.
            text = text.rstrip("\n ")
            first = program.block.starts[0]
            indent = first - (document.text.rfind("\n", 0, first) + 1)
        laid_out = _laid_out(text, WIDTH - indent)
        if laid_out is None:
            continue
        if program.block is not None:
            lines = laid_out.rstrip("\n").split("\n")
            laid_out = "\n".join([lines[0], *(" " * indent + line if line else "" for line in lines[1:])])
        start, end = program.outer(0), program.outer(len(text))
        if document.text[start:end] != laid_out:
            edits.append(Edit(start, end, laid_out))
    return edits


def _laid_out(text: str, width: int) -> str | None:
    """The program in its layout; None where it has a syntax error, or would not mean the same."""
    origin = Origin(Source(""))
    try:
        key = parse.key_of(text, origin)
        after = format_program(text, width)
        return after if parse.key_of(after, origin) == key else None
    except (LarkError, DiagnosticError):
        return None
