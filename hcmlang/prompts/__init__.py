"""Prompts: what a language model is told, in files that people can read, change and share (`.prompty`)."""

from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Span
from hcmlang.prompts.check import check_for
from hcmlang.prompts.render import Prompt, Turn, load
from hcmlang.prompts.rules import clauses, in_words
from hcmlang.prompts.values import Purpose, nested, one_line
from hcmlang.spec.references import Reference

__all__ = [
    "Prompt",
    "Purpose",
    "Turn",
    "check_for",
    "clauses",
    "find_part",
    "in_words",
    "load",
    "nested",
    "one_line",
]


def find_part(reference: Reference, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
    """:func:`hcmlang.prompts.resolve.find_file`, imported when a spec refers to a pack at all."""
    from hcmlang.prompts.resolve import find_file

    return find_file(reference, folder, span)
