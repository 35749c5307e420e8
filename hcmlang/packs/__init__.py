"""Packs: folders of prompts, programs and word lists that people share: fetch, lock, test and publish them."""

from __future__ import annotations

from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Span, SpecError
from hcmlang.spec.references import Reference

__all__ = ["failure", "find_part"]


def find_part(reference: Reference, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
    """:func:`hcmlang.packs.resolve.find_file`, imported only when a spec refers to a pack."""
    from hcmlang.packs.resolve import find_file

    return find_file(reference, folder, span)


def failure(
    code: str,
    message: str,
    hint: str | None = None,
    span: Span | None = None,
    *,
    error: type[DiagnosticError] = SpecError,
) -> DiagnosticError:
    """An error with one diagnostic, to raise."""
    return error(Diagnostic(code, message, span, hint))
