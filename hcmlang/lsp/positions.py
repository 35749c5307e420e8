"""Converting positions in a text.

This package counts offsets in characters, diagnostics count lines and columns from 1, and the Language Server Protocol counts
lines from 0 and code units.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from hcmlang.diagnostics import Span

#: Code units per character in each encoding of the protocol.
_WIDTHS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda char: len(char.encode("utf-8", "surrogatepass")),
    "utf-16": lambda char: 1 + (char > "\uffff"),
    "utf-32": lambda char: 1,
}
#: Line ends of libyaml, which has more of them than the protocol.
_YAML_LINE_END = re.compile("[\n\x85\u2028\u2029]")


def with_plain_line_ends(text: str) -> str:
    """Convert all line ends to `\\n`. Lines and columns stay the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Lines:
    """Converts positions in a text with `\\n` line ends.

    `units` is the encoding whose code units the editor counts. With `yaml`, diagnostics count lines like libyaml. Positions
    outside the text become the nearest position inside.
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
        """The offset of an editor position."""
        start, end = self._line(self._starts, line)
        width = _WIDTHS[self.units]
        for offset in range(start, end):
            if character <= 0:
                return offset
            character -= width(self.text[offset])
        return end

    def position(self, offset: int) -> tuple[int, int]:
        """The editor position (line, character) of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        return line, sum(map(_WIDTHS[self.units], self.text[self._starts[line] : offset]))

    def offsets(self, span: Span) -> tuple[int, int]:
        """The start and end offsets of a span, at least one character apart if the line has a character."""
        start = self._offset_of(span.line, span.column)
        end = self._offset_of(span.end_line, span.end_column)
        if end <= start:
            end = start + (self.text[start : start + 1] not in ("", "\n"))
        if end == start and start and self.text[start - 1] != "\n":
            start -= 1  # editors show nothing at the end of a line, so mark the character before it
        return start, end

    def _offset_of(self, line: int, column: int) -> int:
        start, end = self._line(self._span_starts, line - 1)
        return min(start + max(column - 1, 0), end)

    def _line(self, starts: list[int], line: int) -> tuple[int, int]:
        """The start and end offsets of a line, without its line end."""
        if line >= len(starts):
            return len(self.text), len(self.text)
        line = max(line, 0)
        end = starts[line + 1] - 1 if line + 1 < len(starts) else len(self.text)
        return starts[line], end
