"""Evaluation rows, and finding them in instances, pool rows and prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hcmlang.data.near_duplicates import NearDuplicates, normalized, shingles
from hcmlang.data.table import Table

#: Shorter texts may occur in other texts by chance, so they only count as a whole line. Both texts of a pair have to
#: occur, so fewer words are enough.
_MIN_WORDS, _MIN_WORDS_OF_PAIR = 6, 3


@dataclass(frozen=True)
class Leak:
    """A repeated evaluation row: the name of its set, its number (from 0), and the similarity. A similarity of 1 means the
    same text except for case, spacing and punctuation."""

    name: str
    row: int
    similarity: float = 1.0

    def __str__(self) -> str:
        near = f", similarity {self.similarity:.2f}" if self.similarity < 1 else ""
        return f"{self.name} row {self.row}{near}"


class EvaluationRows:
    """The rows of the test and challenge sets, which no teacher may see and no classifier may be trained on.

    Args:
        tables: The sets by name.
        threshold: A text nearly repeats a row at this similarity (Jaccard, of word 3-grams) or more.
        queries: The rows that will be looked up, if known. Only evaluation rows that may resemble one of them are kept in
            memory, and the sets are read once, so they may be of any size. Results for these rows are the same.
    """

    def __init__(
        self, tables: Mapping[str, Table], threshold: float, queries: Iterable[Sequence[str]] | None = None
    ) -> None:
        self._numbers: dict[str, Sequence[int]] = {name: range(len(table)) for name, table in tables.items()}
        """The original numbers of the rows in memory."""
        if queries is not None:
            hashes = _hashes(queries)
            self._numbers = {name: _candidates(table, hashes) for name, table in tables.items()}
            tables = {name: table.take(np.asarray(self._numbers[name])) for name, table in tables.items()}
        self._rows = {name: NearDuplicates(table.texts(), threshold) for name, table in tables.items()}
        self._fields = max((len(table.fields) for table in tables.values()), default=1)
        self._prefix = _MIN_WORDS if self._fields == 1 else _MIN_WORDS_OF_PAIR
        self._by_prefix: defaultdict[tuple[str, ...], list[tuple[list[str], str, int, int]]] = defaultdict(list)
        """First words of a text -> its words, set, row and field."""
        for name, table in tables.items():
            for field, column in enumerate(table.columns):
                for row, text in enumerate(column):
                    words = normalized((text,)).split(" ")
                    if len(words) >= self._prefix:
                        self._by_prefix[tuple(words[: self._prefix])].append((words, name, row, field))
        self._in_line = lru_cache(maxsize=100_000)(self._find_in_line)

    def repeated_by(self, row: Sequence[str]) -> Leak | None:
        """The evaluation row that `row` repeats or nearly repeats."""
        for name, index in self._rows.items():
            if (same := index.exact(row)) is not None:
                return Leak(name, self._numbers[name][same])
            if (near := index.nearest(row)) is not None:
                return Leak(name, self._numbers[name][near[0]], near[1])
        return None

    def revealed_by(self, row: Sequence[str]) -> Leak | None:
        """The evaluation row that a teacher would see with `row`: repeated, nearly repeated, or part of its text."""
        return self.repeated_by(row) or self.found_in([_as_line(row)])

    def found_in(self, texts: Iterable[str]) -> Leak | None:
        """The evaluation row that occurs in one of the texts, such as the messages of a prompt.

        A row occurs if a line contains it. Short rows and near repetitions have to be a whole line. Both texts of a pair have
        to occur in the same line, because many pairs may share one of them.
        """
        for text in texts:
            for line in text.splitlines():
                if self._fields == 1 and line.strip() and (near := self.repeated_by((line,))) is not None:
                    return near
                present = self._in_line(line)
                for name, row in sorted({(name, row) for name, row, _ in present}):
                    if all((name, row, field) in present for field in range(self._fields)):
                        return Leak(name, self._numbers[name][row])
        return None

    def _find_in_line(self, line: str) -> frozenset[tuple[str, int, int]]:
        """Set, row and field of every evaluation text that a line contains."""
        words, present = normalized((line,)).split(" "), set()
        for start in range(len(words) - self._prefix + 1):
            for text, name, row, field in self._by_prefix.get(tuple(words[start : start + self._prefix]), ()):
                if words[start : start + len(text)] == text:
                    present.add((name, row, field))
        return frozenset(present)


def _as_line(row: Sequence[str]) -> str:
    return " | ".join(" ".join(text.split()) for text in row)


def _hashes(queries: Iterable[Sequence[str]]) -> set[int]:
    """The hashes of the queries' word 3-grams. A collision only keeps a row that is not needed."""
    return {hash(shingle) for row in queries for form in (row, (_as_line(row),)) for shingle in shingles(form)}


def _candidates(table: Table, hashes: set[int]) -> list[int]:
    """The rows that share a word 3-gram with a query; for short rows, a word with a short query. No other row can repeat,
    nearly repeat or be part of a query."""

    def is_candidate(row: Sequence[str]) -> bool:
        forms = (row, *((text,) for text in row)) if len(row) > 1 else (row,)
        return any(hash(shingle) in hashes for form in forms for shingle in shingles(form))

    return [number for number, row in enumerate(table.texts()) if is_candidate(row)]
