"""Reading flow collections of YAML (lists and mappings in brackets), even while they are being typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]

#: Maximum depth. Specs have about six levels.
MOST_LEVELS = 50


@dataclass
class Entry:
    """A key with its value, or an item of a list. Positions are offsets."""

    path: Path
    key: tuple[int, int]
    """The range of the key; for an item of a list, an empty range at the value."""
    value: tuple[int, int]
    text: str = ""
    """The value without quotes, if it is on one line."""
    style: Literal["none", "scalar", "flow", "block"] = "none"
    indent: int | None = None
    """The column of the key; None within a flow collection."""
    closed: bool = True
    """Whether a flow collection has its closing bracket."""


@dataclass
class Bracket:
    """An open bracket, and the state of its current entry."""

    mapping: bool
    path: Path
    index: int = 0
    key: str | None = None
    entry: Entry | None = None

    def here(self) -> Path:
        """The path of the current entry."""
        return (*self.path, (self.key or "") if self.mapping else self.index)


class Flow:
    """The flow collection that starts at `start`, read up to `stop`.

    `end` is the offset after its closing bracket. If that is None, `brackets` are still open, and `word` is the start of the
    unfinished word at the end.
    """

    def __init__(self, text: str, start: int, stop: int, path: Path) -> None:
        self.text, self.stop, self.path = text, stop, path
        self.entries: list[Entry] = []
        self.brackets: list[Bracket] = []
        self.word: int | None = None
        self.end: int | None = None
        at = start
        while at < stop and self.end is None and len(self.brackets) <= MOST_LEVELS:
            at = self._step(at)
        if self.end is None and self.brackets:
            self._finish(stop)

    def _step(self, at: int) -> int:
        """Read one token and return the offset after it."""
        char = self.text[at]
        if char == "#" and self.text[at - 1 : at].isspace():
            return min(line_end(self.text, at), self.stop)
        if char in "\"'" and self.word is None:
            self.word = at
            return _quote_end(self.text, at, self.stop)
        if char in "{[":
            self._open(at)
        elif char in "}]":
            self._close(at)
        elif char == ",":
            self._finish(at)
            bracket = self.brackets[-1]
            bracket.key, bracket.entry, bracket.index, self.word = None, None, bracket.index + 1, None
        elif char == ":" and self._ends_key(at):
            self._key(at)
        elif self.word is None and not char.isspace():
            self.word = at
        return at + 1

    def _open(self, at: int) -> None:
        path = self.path
        if self.brackets:
            outer = self.brackets[-1]
            path = outer.here()
            if outer.entry is not None:
                outer.entry.style = "flow"
            elif not outer.mapping:
                self.entries.append(Entry(path, (at, at), (at, at), style="flow"))
        self.brackets.append(Bracket(self.text[at] == "{", path))
        self.word = None

    def _close(self, at: int) -> None:
        self._finish(at)
        self.brackets.pop()
        self.word = None
        if not self.brackets:
            self.end = at + 1

    def _key(self, at: int) -> None:
        bracket = self.brackets[-1]
        span, bracket.key = scalar(self.text, at if self.word is None else self.word, at)
        bracket.entry = Entry((*bracket.path, bracket.key), span, (at + 1, at + 1))
        self.entries.append(bracket.entry)
        self.word = None

    def _finish(self, end: int) -> None:
        """Record the word that ends here as a value, or as a key without a value."""
        if self.word is None:
            return
        bracket = self.brackets[-1]
        span, value = scalar(self.text, self.word, end)
        if bracket.entry is not None:
            bracket.entry.value, bracket.entry.text, bracket.entry.style = span, value, "scalar"
        elif bracket.mapping:
            self.entries.append(Entry((*bracket.path, value), span, (span[1], span[1])))
        else:
            self.entries.append(Entry(bracket.here(), (span[0], span[0]), span, value, "scalar"))

    def _ends_key(self, at: int) -> bool:
        """Whether a colon ends a key."""
        bracket = self.brackets[-1]
        after, before = self.text[at + 1 : at + 2], self.text[at - 1 : at]
        return bracket.mapping and bracket.key is None and (after in "{[\"'" or after.isspace() or before in ('"', "'"))


def line_end(text: str, at: int) -> int:
    """The offset of the end of a line."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _quote_end(text: str, at: int, stop: int) -> int:
    """The offset after the quote that closes the one at `at`."""
    quote, at = text[at], at + 1
    while at < stop and text[at] != quote:
        at += 2 if quote == '"' and text[at] == "\\" else 1
    return min(at + 1, stop)


def scalar(text: str, start: int, end: int) -> tuple[tuple[int, int], str]:
    """The range of a value on one line, without a comment, and its text without quotes."""
    if text[start : start + 1] in ('"', "'"):
        end = min(_quote_end(text, start, end), end)
    else:
        comment = re.compile(r"\s#").search(text, start, end)
        end = comment.start() if comment else end
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end), unquoted(text[start:end])


def unquoted(text: str) -> str:
    """Remove the quotes of a scalar."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text
