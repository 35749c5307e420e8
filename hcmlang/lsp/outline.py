"""The keys and values of a YAML text with their positions, even while it is being typed and is not valid YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from hcmlang.lsp.flow import MOST_LEVELS, Entry, Flow, Path, line_end, scalar, unquoted

__all__ = ["Block", "Cursor", "Entry", "Outline", "Path"]

_KEY = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_.$/][^:#\n]*?)[ \t]*:(?=[ \t]|$)""", re.MULTILINE)
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)*")
_BLOCK = re.compile(r"[|>][0-9+-]*[ \t]*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")


@dataclass(frozen=True)
class Cursor:
    """What is typed at a place: a `key` of the mapping at `path`, the `value` of `path`, or an `item` (either of them)."""

    where: Literal["key", "value", "item", "none"]
    path: Path = ()
    start: int = 0
    """The start of the word being typed."""
    flow: bool = False


@dataclass(frozen=True)
class Block:
    """A literal block: its text, and the position of each line."""

    text: str
    starts: tuple[int, ...]
    """The offset in the file of the first character of each line, after the indentation."""

    def outer(self, offset: int) -> int:
        """Convert an offset in the text to an offset in the file."""
        line = self.text.count("\n", 0, offset)
        return self.starts[line] + offset - (self.text.rfind("\n", 0, offset) + 1)

    def inner(self, offset: int) -> int:
        """Convert an offset in the file to an offset in the text."""
        begin, lines = 0, self.text.split("\n")
        for number, line in enumerate(lines):
            last = number + 1 == len(lines) or offset < self.starts[number + 1]
            if last:
                return begin + min(max(offset - self.starts[number], 0), len(line))
            begin += len(line) + 1
        return len(self.text)


@dataclass
class Outline:
    """The keys and values of a YAML text."""

    text: str
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._scan()

    @cached_property
    def _below(self) -> dict[Path, list[Entry]]:
        below: dict[Path, list[Entry]] = {}
        for entry in self.entries:
            below.setdefault(entry.path[:-1], []).append(entry)
        return below

    def entry(self, path: Path) -> Entry | None:
        """The entry at a path."""
        return next((entry for entry in self._below.get(path[:-1], ()) if path and entry.path == path), None)

    def children(self, path: Path) -> Iterator[Entry]:
        """The entries directly below a path."""
        return iter(self._below.get(path, ()))

    def siblings(self, path: Path) -> dict[str, str]:
        """The keys below a path with their values."""
        return {str(child.path[-1]): child.text for child in self.children(path)}

    def texts(self, path: Path) -> tuple[str, ...]:
        """The value at a path as a list of texts. A single value counts as a list."""
        here = self.entry(path)
        if here is not None and here.style == "scalar":
            return (here.text,)
        return tuple(child.text for child in self.children(path) if isinstance(child.path[-1], int) and child.text)

    def key_at(self, offset: int) -> Entry | None:
        """The entry whose key is at an offset."""
        return next((entry for entry in self.entries if entry.key[0] <= offset <= entry.key[1] > entry.key[0]), None)

    def value_at(self, offset: int) -> Entry | None:
        """The entry whose scalar value is at an offset."""
        scalars = (entry for entry in self.entries if entry.style == "scalar")
        return next((entry for entry in scalars if entry.value[0] <= offset <= entry.value[1]), None)

    # ---------------------------------------------------------------------------------------------------------- blocks

    def block(self, entry: Entry) -> Block:
        """The text of a literal block."""
        begin, end = entry.value
        lines = list(_lines(self.text, begin, end))
        filled = [len(line) - len(line.lstrip(" ")) for _, line in lines if line.strip()]
        least = (entry.indent or 0) + 1
        indent = max(filled[0] if filled else max((len(line) for _, line in lines), default=0), least)
        rows, starts = [], []
        for start, line in lines:
            shift = min(indent, len(line) - len(line.lstrip(" ")))
            rows.append(line[shift:])
            starts.append(start + shift)
        return Block("\n".join(rows), tuple(starts)) if rows else Block("", (begin,))

    # -------------------------------------------------------------------------------------------------------- scanning

    def _scan(self) -> None:
        stack: list[tuple[int, Path, bool]] = []  # column, path, whether it is an item of a list
        counts: dict[Path, int] = {}
        at = 0
        while at < len(self.text):
            end = line_end(self.text, at)
            line = self.text[at:end]
            column = len(line) - len(line.lstrip(" "))
            if not line.strip() or line.lstrip().startswith(("#", "---", "...", "%")):
                at = end + 1
                continue
            while line[column : column + 2] in ("- ", "-") and len(stack) < MOST_LEVELS:
                while stack and (stack[-1][0] > column or (stack[-1][0] == column and stack[-1][2])):
                    stack.pop()
                parent = stack[-1][1] if stack else ()
                path = (*parent, counts.setdefault(parent, 0))
                counts[parent] += 1
                stack.append((column, path, True))
                column += 1
                column += len(line[column:]) - len(line[column:].lstrip(" "))
                item = Entry(path, (at + column, at + column), (at + column, end), indent=stack[-1][0])
                self.entries.append(item)
            at = self._content(at, column, end, stack) + 1

    def _content(self, at: int, column: int, end: int, stack: list[tuple[int, Path, bool]]) -> int:
        """Read a line after its indentation and dashes, and return the offset of the end of what was read."""
        match = _KEY.match(self.text, at + column, end)
        if match is None:
            if stack and stack[-1][2] and stack[-1][0] < column and self.entries[-1].path == stack[-1][1]:
                return self._value(self.entries[-1], at + column, end, stack[-1][0])
            return end
        while stack and stack[-1][0] >= column:
            stack.pop()
        path = (*(stack[-1][1] if stack else ()), unquoted(match[1]))
        entry = Entry(path, match.span(1), (match.end(), match.end()), indent=column)
        self.entries.append(entry)
        stack.append((column, path, False))
        return self._value(entry, match.end(), end, column)

    def _value(self, entry: Entry, start: int, end: int, column: int) -> int:
        """Read the value that starts in this line, and return the offset of its end."""
        while start < end and self.text[start] in " \t":
            start += 1
        properties = _PROPERTIES.match(self.text, start, end)
        start = properties.end() if properties else start
        rest = self.text[start:end]
        if not rest.strip() or rest.startswith("#"):
            entry.value = (min(start, end), min(start, end))
            return end
        if _BLOCK.match(rest):
            entry.style = "block"
            stop = self._deeper(end, column)
            entry.value = (min(end + 1, len(self.text)), stop)
            return stop
        if rest[0] in "{[":
            entry.style = "flow"
            stop = self._deeper(end, column, closing=True)
            flow = Flow(self.text, start, stop, entry.path)
            self.entries += flow.entries
            entry.closed = flow.end is not None
            entry.value = (start, stop if flow.end is None else flow.end)
            return line_end(self.text, max(start, entry.value[1] - 1))
        entry.style = "scalar"
        entry.value, entry.text = scalar(self.text, start, end)
        return end

    def _deeper(self, end: int, column: int, closing: bool = False) -> int:
        """The end of the following lines that are empty or indented deeper than a column."""
        at = end + 1
        while at <= len(self.text):
            stop = line_end(self.text, at)
            line = self.text[at:stop]
            shallow = len(line) - len(line.lstrip(" ")) <= column
            if line.strip() and shallow and not (closing and line.strip()[0] in "]}"):
                break
            end, at = stop, stop + 1
        return min(end, len(self.text))

    # ---------------------------------------------------------------------------------------------------------- cursor

    def cursor(self, offset: int) -> Cursor:
        """What is typed at an offset."""
        for entry in self.entries:
            begin, end = entry.value
            if entry.style == "block" and begin <= offset <= end and self._column(offset) > (entry.indent or 0):
                return Cursor("none")
            inside = begin < offset < end if entry.closed else begin < offset <= end
            if entry.style == "flow" and entry.indent is not None and inside:
                return self._flow_cursor(entry, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        before = self.text[start:offset]
        if _COMMENT.search(before):
            return Cursor("none")
        dashes = re.match(r" *(?:- +)*", before)
        column = dashes.end() if dashes else 0
        match = _KEY.match(self.text, start + column, offset)
        path = self._parent(start, column)
        if path is None:
            return Cursor("none")
        if match is not None:
            rest = self.text[match.end() : offset]
            value = match.end() + len(rest) - len(rest.lstrip())
            behind = any(e.style == "flow" and e.value[1] <= offset for e in self.entries if e.key == match.span(1))
            if behind or not rest[:1].isspace():
                return Cursor("none")
            return Cursor("value", (*path, unquoted(match[1])), value)
        item = before[:column].strip().startswith("-")
        return Cursor("item" if item else "key", path, start + column)

    def _column(self, offset: int) -> int:
        return offset - (self.text.rfind("\n", 0, offset) + 1)

    def _flow_cursor(self, entry: Entry, offset: int) -> Cursor:
        flow = Flow(self.text, entry.value[0], offset, entry.path)
        if not flow.brackets or _COMMENT.search(self.text[self.text.rfind("\n", 0, offset) + 1 : offset]):
            return Cursor("none")
        bracket, start = flow.brackets[-1], offset if flow.word is None else flow.word
        if bracket.mapping and bracket.key is None:
            return Cursor("key", bracket.path, start, flow=True)
        return Cursor("value", bracket.here(), start, flow=True)

    def _parent(self, start: int, column: int) -> Path | None:
        """The path of the mapping whose keys are in this column, for the line that begins at `start`.

        None if the key above already has a value.
        """
        line = self.text[start : line_end(self.text, start)]
        for entry in reversed(self.entries):
            if entry.indent is None or entry.key[0] > start + len(line):
                continue
            same_line = entry.key[0] >= start
            if entry.indent < column and (not same_line or entry.key[0] == entry.key[1]):
                is_item = isinstance(entry.path[-1], int)
                return entry.path if entry.style == "none" or (is_item and same_line) else None
        return ()


def _lines(text: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
    """The lines of a range of a text, each with its offset."""
    if begin > len(text):
        return
    for line in text[begin:end].split("\n"):
        yield begin, line
        begin += len(line) + 1
