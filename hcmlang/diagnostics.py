"""What the program tells a user about a mistake: where it is, what is wrong, what to do.

A diagnostic is data. Parts collect them in a list and go on, so that a user sees every mistake of a file at once;
whoever cannot go on raises :class:`DiagnosticError` with what was collected.
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

#: Exit codes of the command line (docs/diagnostics.md).
EXIT_FAILED = 1
EXIT_SPEC = 2
EXIT_BUDGET = 3
EXIT_WAITING = 4


@dataclass(frozen=True)
class Source:
    """A text the user wrote, under the name by which they know it (usually a path)."""

    name: str
    text: str = field(default="", repr=False)

    def line(self, number: int) -> str | None:
        """The text of line `number` (from 1), or None where the source has no such line."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else None

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True)
class Span:
    """A stretch of a source. Lines and columns count characters from 1; the end is exclusive."""

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
    """Where a text that is embedded in a file begins: line and column (from 1) of its first character.

    `indent` is the number of columns that the enclosing file puts before every further line of the text (the
    indentation of a YAML block), so that positions inside the text become positions in the file.
    """

    source: Source
    line: int = 1
    column: int = 1
    indent: int = 0
    whole: Span | None = None
    """Where positions inside the text are no positions in the file (escapes, folded lines): the place of all of it."""

    def span(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        """The place in the file of a stretch of the text, both in lines and columns from 1."""
        if self.whole is not None:
            return self.whole

        def place(at_line: int, at_column: int) -> tuple[int, int]:
            shift = self.column - 1 if at_line == 1 else self.indent
            return self.line + at_line - 1, at_column + shift

        return Span(self.source, *place(line, column), *place(end_line, end_column))


@dataclass(frozen=True)
class Diagnostic:
    """One thing to tell the user.

    `code` is stable and in kebab-case (`unknown-key`), for scripts and documentation; `message` is a sentence without
    a full stop; `hint` says what to do. `span` is None only where no file is at fault (a missing spec, a full disk).
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Severity = "error"

    def render(self) -> str:
        """The diagnostic as text: position, message, source line with caret, hint."""
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}: {self.message} [{self.code}]"]
        if self.span is not None:
            lines += _excerpt(self.span)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The diagnostic as a JSON object; positions as in :class:`Span`."""
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
    """Work cannot go on; the user is told why by `diagnostics`, and the program ends with `exit_code`."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic], exit_code: int = EXIT_FAILED) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (
            (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        )
        self.exit_code = exit_code
        super().__init__(render(self.diagnostics))

    def __reduce__(self) -> tuple[type[DiagnosticError], tuple[tuple[Diagnostic, ...], int]]:
        return DiagnosticError, (self.diagnostics, self.exit_code)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file and position, without repetitions; those without a place come first."""

    def position(d: Diagnostic) -> tuple[str, int, int]:
        return (d.span.source.name, d.span.line, d.span.column) if d.span else ("", 0, 0)

    return sorted(dict.fromkeys(diagnostics), key=position)


#: Characters that a terminal obeys; line breaks and tabs are none of these here.
CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """Diagnostics for a terminal. What they quote may be a stranger's: signs that a terminal obeys are shown as `?`."""
    return CONTROL.sub("?", "\n".join(d.render() for d in diagnostics))


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    return json.dumps([d.as_json() for d in diagnostics], indent=2, ensure_ascii=False)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a misspelling of, if any is close."""
    by_folded = {choice.casefold(): choice for choice in known}
    found = difflib.get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the closest known word, or the known words where none is close."""
    choices: Sequence[str] = list(dict.fromkeys(known))
    if (close := closest(word, choices)) is not None:
        return f"did you mean `{close}`?"
    if not choices:
        return None
    shown = ", ".join(f"`{choice}`" for choice in choices[:12])
    return f"known here: {shown}" + (", ..." if len(choices) > 12 else "")


def _excerpt(span: Span) -> list[str]:
    text = span.source.line(span.line)
    if text is None:
        return []
    # A tab stays a tab under the line, so that the caret stands under its character in any terminal.
    shown, lead = _window(text, span.column)
    width = (span.end_column if span.end_line == span.line else len(text) + 1) - span.column
    width = max(1, min(width, len(shown) - lead))
    number = str(span.line)
    pad = "".join("\t" if c == "\t" else " " for c in shown[:lead])
    return [f"  {number} | {shown}", f"  {' ' * len(number)} | {pad}{'^' * width}"]


def _window(text: str, column: int, limit: int = 120) -> tuple[str, int]:
    """At most `limit` characters of a line around `column`, and the column's offset within them."""
    at = max(0, column - 1)
    if len(text) <= limit:
        return text, min(at, len(text))
    start = max(0, min(at - limit // 3, len(text) - limit))
    return text[start : start + limit], min(at - start, limit)
