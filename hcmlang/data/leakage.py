"""Rows that are kept for evaluation, and what must not repeat them: instances, and what a teacher is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hcmlang.data.near_duplicates import NearDuplicates, normalized
from hcmlang.data.table import Table

#: A row of fewer words may stand within any text by chance; it counts only where it is a line of its own.
_WORDS = 6


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
        self._begin: defaultdict[tuple[str, ...], list[tuple[list[str], Leak]]] = defaultdict(list)
        """Normalized texts of every field by their first words."""
        for name, table in tables.items():
            for column in table.columns:
                for row, text in enumerate(column):
                    words = normalized((text,)).split(" ")
                    if len(words) >= _WORDS:
                        self._begin[tuple(words[:_WORDS])].append((words, Leak(name, row)))
        self._pairs = any(len(table.fields) > 1 for table in tables.values())
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
        return self.like(row) or self.told(row)

    def told(self, texts: Iterable[str]) -> Leak | None:
        """The held-out row that stands in one of the texts, such as the messages of a prompt: within it, or, for short rows and
        those that are nearly repeated, as one of its lines. Of a pair, one of its texts is enough."""
        for text in texts:
            for line in text.splitlines():
                if (found := self._in_line(line)) is not None:
                    return found
        return None

    def _line(self, line: str) -> Leak | None:
        words = normalized((line,)).split(" ")
        for start in range(len(words) - _WORDS + 1):
            for row, leak in self._begin.get(tuple(words[start : start + _WORDS]), ()):
                if words[start : start + len(row)] == row:
                    return leak
        if self._pairs:
            return None  # single texts of pairs are often alike
        return self.like((line,)) if line.strip() else None
