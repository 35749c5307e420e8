"""Places in a text: offsets in characters, as this package counts; lines and columns from 1, as diagnostics count;
lines from 0 and code units, as the Language Server Protocol counts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from hcmlang.diagnostics import Span

#: How many units a character takes in each encoding that client and server may agree on.
_WIDTHS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda char: len(char.encode("utf-8", "surrogatepass")),
    "utf-16": lambda char: 1 + (char > "\uffff"),
    "utf-32": lambda char: 1,
}
#: What ends a line for libyaml, which has more line ends than the protocol.
_YAML_LINE_END = re.compile("[\n\x85\u2028\u2029]")


def with_plain_line_ends(text: str) -> str:
    """The text with `\\n` at the end of each line: lines and columns are the same as before."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Lines:
    """A text (with plain line ends) as an editor and as a diagnostic point into it.

    `units` is the encoding whose code units the editor counts; `yaml`: the lines of its diagnostics are YAML's.
    Places outside the text become the nearest one inside.
    """

    text: str
    units: str = "utf-16"
    yaml: bool = False

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @cached_property
    def _span_starts(self) -> list[int]:
        return [0, *(match.end() for match in _YAML_LINE_END.finditer(self.text))] if self.yaml else self._starts

    def offset(self, line: int, character: int) -> int:
        """The offset of an editor's position."""
        start, end = self._line(self._starts, line)
        width = _WIDTHS[self.units]
        for offset in range(start, end):
            if character <= 0:
                return offset
            character -= width(self.text[offset])
        return end

    def position(self, offset: int) -> tuple[int, int]:
        """The editor's line and character of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        return line, sum(map(_WIDTHS[self.units], self.text[self._starts[line] : offset]))

    def offsets(self, span: Span) -> tuple[int, int]:
        """Begin and end of a span; it is at least one character wide where the line has one."""
        start = self._offset_of(span.line, span.column)
        end = self._offset_of(span.end_line, span.end_column)
        if end <= start:
            end = start + (self.text[start : start + 1] not in ("", "\n"))
        if end == start and start and self.text[start - 1] != "\n":
            start -= 1  # the end of a line shows nothing; the character before it does
        return start, end

    def _offset_of(self, line: int, column: int) -> int:
        start, end = self._line(self._span_starts, line - 1)
        return min(start + max(column - 1, 0), end)

    def _line(self, starts: list[int], line: int) -> tuple[int, int]:
        """Begin and end of a line, its line end left out."""
        if line >= len(starts):
            return len(self.text), len(self.text)
        line = max(line, 0)
        end = starts[line + 1] - 1 if line + 1 < len(starts) else len(self.text)
        return starts[line], end
