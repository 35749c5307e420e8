"""Rows that are kept for evaluation, and what must not repeat them: instances, and what a teacher is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hcmlang.data.near_duplicates import NearDuplicates, normalized, shingles
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
    from which on a text nearly repeats a row.

    Where it is known which rows will be asked about (`asked`), only what can be like one of these is kept in memory: sets of
    any size are gone through once. Answers about these rows are the same.
    """

    def __init__(
        self, tables: Mapping[str, Table], threshold: float, asked: Iterable[Sequence[str]] | None = None
    ) -> None:
        self._numbers: dict[str, Sequence[int]] = {name: range(len(table)) for name, table in tables.items()}
        """What the rows that are kept are called."""
        if asked is not None:
            known = _known(asked)
            self._numbers = {name: _sharing(table, known) for name, table in tables.items()}
            tables = {name: table.take(np.asarray(self._numbers[name])) for name, table in tables.items()}
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
                return Leak(name, self._numbers[name][same])
            if (near := index.nearest(row)) is not None:
                return Leak(name, self._numbers[name][near[0]], near[1])
        return None

    def within(self, row: Sequence[str]) -> Leak | None:
        """The held-out row that a teacher would get to see with this one: the same, nearly the same, or a part of its text."""
        return self.like(row) or self.told([_as_line(row)])

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
                        return Leak(name, self._numbers[name][row])
        return None

    def _line(self, line: str) -> frozenset[tuple[str, int, int]]:
        """Set, row and field of every held-out text that stands within a line."""
        words, found = normalized((line,)).split(" "), set()
        for start in range(len(words) - self._least + 1):
            for text, name, row, field in self._begin.get(tuple(words[start : start + self._least]), ()):
                if words[start : start + len(text)] == text:
                    found.add((name, row, field))
        return frozenset(found)


def _as_line(row: Sequence[str]) -> str:
    return " | ".join(" ".join(text.split()) for text in row)


def _known(asked: Iterable[Sequence[str]]) -> set[int]:
    """The word 3-grams of rows, each as a number: another one with the same number makes a row be kept, no more."""
    return {hash(shingle) for row in asked for way in (row, (_as_line(row),)) for shingle in shingles(way)}


def _sharing(table: Table, known: set[int]) -> list[int]:
    """The rows that share a word 3-gram with what is known (short ones, a word with a short one). No other one is the same as,
    nearly the same as, or a part of such a row: each of these takes a common one."""

    def shares(row: Sequence[str]) -> bool:
        ways = (row, *((text,) for text in row)) if len(row) > 1 else (row,)
        return any(hash(shingle) in known for way in ways for shingle in shingles(way))

    return [number for number, row in enumerate(table.texts()) if shares(row)]
