"""Packs: folders of prompts, programs and word lists that people share; fetched, locked, compared with the lock, published."""

from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Span
from hcmlang.spec.references import Reference

__all__ = ["find_part"]


def find_part(reference: Reference, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
    """:func:`hcmlang.packs.resolve.find_file`, imported when a spec refers to a pack at all."""
    from hcmlang.packs.resolve import find_file

    return find_file(reference, folder, span)
