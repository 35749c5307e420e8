"""Rows that are kept for evaluation, and what must not repeat them: instances, and what a teacher is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hcmlang.data.near_duplicates import NearDuplicates, normalized
from hcmlang.data.table import Table

#: A text of fewer words may stand within any other by chance; it counts only where it is a line of its own. Of a pair both
#: texts must be there, so less is enough.
_WORDS, _WORDS_OF_A_PAIR = 6, 3


@dataclass(frozen=True)
class Leak:
    """A held-out row that something repeats: the name of its set, its number from 0, and how alike they are, 1 for the same
    text but for case, spacing and punctuation."""

    name: str
    row: int
    similarity: float = 1.0

    def __str__(self) -> str:
        near = f", similarity {self.similarity:.2f}" if self.similarity < 1 else ""
        return f"{self.name} row {self.row}{near}"


class HeldOut:
    """The rows of the test and challenge sets, by name of the set. `threshold` is the similarity (Jaccard, of word 3-grams)
    from which on a text nearly repeats a row."""

    def __init__(self, tables: Mapping[str, Table], threshold: float) -> None:
        self._rows = {name: NearDuplicates(table.texts(), threshold) for name, table in tables.items()}
        self._fields = max((len(table.fields) for table in tables.values()), default=1)
        self._least = _WORDS if self._fields == 1 else _WORDS_OF_A_PAIR
        self._begin: defaultdict[tuple[str, ...], list[tuple[list[str], str, int, int]]] = defaultdict(list)
        """Words of every text by the first ones, with set, row and field."""
        for name, table in tables.items():
            for field, column in enumerate(table.columns):
                for row, text in enumerate(column):
                    words = normalized((text,)).split(" ")
                    if len(words) >= self._least:
                        self._begin[tuple(words[: self._least])].append((words, name, row, field))
        self._in_line = lru_cache(maxsize=100_000)(self._line)

    def like(self, row: Sequence[str]) -> Leak | None:
        """The held-out row that is the same, or nearly."""
        for name, index in self._rows.items():
            if (same := index.exact(row)) is not None:
                return Leak(name, same)
            if (near := index.nearest(row)) is not None:
                return Leak(name, *near)
        return None

    def within(self, row: Sequence[str]) -> Leak | None:
        """The held-out row that a teacher would get to see with this one: the same, nearly the same, or a part of its text."""
        return self.like(row) or self.told([" | ".join(" ".join(text.split()) for text in row)])

    def told(self, texts: Iterable[str]) -> Leak | None:
        """The held-out row that stands in one of the texts, such as the messages of a prompt: within a line, or, for short rows
        and those that are nearly repeated, as a line of its own. Of a pair both texts must stand in a line: one of them
        alone is often part of many pairs."""
        for text in texts:
            for line in text.splitlines():
                if self._fields == 1 and line.strip() and (near := self.like((line,))) is not None:
                    return near
                here = self._in_line(line)
                for name, row in sorted({(name, row) for name, row, _ in here}):
                    if all((name, row, field) in here for field in range(self._fields)):
                        return Leak(name, row)
        return None

    def _line(self, line: str) -> frozenset[tuple[str, int, int]]:
        """Set, row and field of every held-out text that stands within a line."""
        words, found = normalized((line,)).split(" "), set()
        for start in range(len(words) - self._least + 1):
            for text, name, row, field in self._begin.get(tuple(words[start : start + self._least]), ()):
                if words[start : start + len(text)] == text:
                    found.add((name, row, field))
        return frozenset(found)
