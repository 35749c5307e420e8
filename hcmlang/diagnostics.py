"""Diagnostics and errors: where a mistake is, what is wrong and how to fix it.

A diagnostic is data. Code that checks something collects diagnostics in a list, so that users see every mistake of a file at
once. Code that cannot continue raises :class:`DiagnosticError`, or one of its subclasses, with the diagnostics.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Source:
    """A text that the user wrote, and the name they know it by (usually a path)."""

    name: str
    text: str = field(default="", repr=False)

    def line(self, number: int) -> str | None:
        """The text of line `number` (from 1); None if the source is shorter."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else None

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True)
class Span:
    """A range of a source. Lines and columns count characters from 1; the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def point(cls, source: Source, line: int, column: int = 1, width: int = 1) -> Span:
        return cls(source, line, column, line, column + width)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Origin:
    """The position in a file of a text embedded in it: line and column (from 1) of its first character.

    `indent` is the indentation that the file adds to every further line of the text, as in a YAML block. With it, positions in
    the text convert to positions in the file.
    """

    source: Source
    line: int = 1
    column: int = 1
    indent: int = 0
    whole: Span | None = None
    """The span of the whole text, where its positions cannot be converted (escapes, folded lines)."""

    def span(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """Convert a range of the text to a span of the file. Lines and columns count from 1."""
        if self.whole is not None:
            return self.whole

        def place(at_line: int, at_column: int) -> tuple[int, int]:
            shift = self.column - 1 if at_line == 1 else self.indent
            return self.line + at_line - 1, at_column + shift

        return Span(self.source, *place(line, column), *place(end_line, end_column))


@dataclass(frozen=True)
class Diagnostic:
    """One message to the user.

    `code` is stable and in kebab-case (`unknown-key`), so that scripts and documentation can refer to it. `message` is a
    sentence without a full stop. `hint` says how to fix the problem. `span` is None if no file is at fault (a missing spec, a
    full disk).
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Severity = "error"

    def render(self) -> str:
        """Format the diagnostic: position, message, source line with a caret, hint."""
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}: {self.message} [{self.code}]"]
        if self.span is not None:
            lines += _excerpt(self.span)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Convert the diagnostic to a JSON object. Positions count as in :class:`Span`."""
        result: dict[str, object] = {"code": self.code, "severity": self.severity, "message": self.message}
        if self.span is not None:
            span = self.span
            result |= {
                "file": span.source.name,
                "line": span.line,
                "column": span.column,
                "end_line": span.end_line,
                "end_column": span.end_column,
            }
        if self.hint:
            result["hint"] = self.hint
        return result


class DiagnosticError(Exception):
    """hcmlang cannot continue; `diagnostics` tell the user why. Base class of all errors that users can fix."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (
            (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        )
        super().__init__(render(self.diagnostics))

    def __reduce__(self) -> tuple[type[DiagnosticError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class SpecError(DiagnosticError):
    """The user's input is wrong: a spec, program, prompt, pack, answer file or argument."""


class BudgetExceeded(DiagnosticError):
    """The budget ended the run. Finished steps and paid calls are kept."""


class WaitingForAnswers(DiagnosticError):
    """The run stopped until people, or a batch of requests, have answered."""


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by file and position, without duplicates. Diagnostics without a position come first."""

    def position(d: Diagnostic) -> tuple[str, int, int]:
        return (d.span.source.name, d.span.line, d.span.column) if d.span else ("", 0, 0)

    return sorted(dict.fromkeys(diagnostics), key=position)


#: Control characters of terminals, except line breaks and tabs.
CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """Format diagnostics for a terminal. They may quote untrusted text, so control characters become `?`."""
    return CONTROL.sub("?", "\n".join(d.render() for d in diagnostics))


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    return json.dumps([d.as_json() for d in diagnostics], indent=2, ensure_ascii=False)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is closest to `word`; None if none is close."""
    by_folded = {choice.casefold(): choice for choice in known}
    matches = difflib.get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the closest known word, or all known words if none is close."""
    choices: Sequence[str] = list(dict.fromkeys(known))
    if (close := closest(word, choices)) is not None:
        return f"did you mean `{close}`?"
    if not choices:
        return None
    shown = ", ".join(f"`{choice}`" for choice in choices[:12])
    return f"available: {shown}" + (", ..." if len(choices) > 12 else "")


def _excerpt(span: Span) -> list[str]:
    text = span.source.line(span.line)
    if text is None:
        return []
    # Keep tabs, so that the caret is below its character in any terminal.
    shown, lead = _window(text, span.column)
    width = (span.end_column if span.end_line == span.line else len(text) + 1) - span.column
    width = max(1, min(width, len(shown) - lead))
    number = str(span.line)
    pad = "".join("\t" if c == "\t" else " " for c in shown[:lead])
    return [f"  {number} | {shown}", f"  {' ' * len(number)} | {pad}{'^' * width}"]


def _window(text: str, column: int, limit: int = 120) -> tuple[str, int]:
    """Cut a line to `limit` characters around `column`; also return the offset of the column within them."""
    at = max(0, column - 1)
    if len(text) <= limit:
        return text, min(at, len(text))
    start = max(0, min(at - limit // 3, len(text) - limit))
    return text[start : start + limit], min(at - start, limit)
