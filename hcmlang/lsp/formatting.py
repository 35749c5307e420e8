"""Formatting the programs of a document."""

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
    """A text that replaces the text between two offsets."""

    start: int
    end: int
    text: str


def formatted(document: Document) -> list[Edit]:
    """The edits that format the programs of a document. Programs with a syntax error stay as they are."""
    edits = []
    for program in programs(document):
        text = program.index.text
        indent = 0
        if program.block is not None and program.block.starts:
            # Keep the empty lines after a block, which separate it from the next key.
            text = text.rstrip("\n ")
            first = program.block.starts[0]
            indent = first - (document.text.rfind("\n", 0, first) + 1)
        text_after = _formatted(text, WIDTH - indent)
        if text_after is None:
            continue
        if program.block is not None:
            lines = text_after.rstrip("\n").split("\n")
            text_after = "\n".join([lines[0], *(" " * indent + line if line else "" for line in lines[1:])])
        start, end = program.outer(0), program.outer(len(text))
        if document.text[start:end] != text_after:
            edits.append(Edit(start, end, text_after))
    return edits


def _formatted(text: str, width: int) -> str | None:
    """The formatted program; None if it has a syntax error or its meaning would change."""
    origin = Origin(Source(""))
    try:
        key = parse.key_of(text, origin)
        after = format_program(text, width)
        return after if parse.key_of(after, origin) == key else None
    except (LarkError, DiagnosticError):
        return None
