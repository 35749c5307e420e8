"""When two rows say the same: exactly, after normalization, or nearly, by the words they share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+|[^\w\s]")
#: Separates the texts of a pair; it occurs in no text.
_BOUNDARY = "\x1f"

Shingle = tuple[str, ...]


def normalized(row: Sequence[str]) -> str:
    """A row without its case, spacing and punctuation; equal for rows that say the same."""
    return f" {_BOUNDARY} ".join(" ".join(w for w in _WORD.findall(text.casefold()) if w.isalnum()) for text in row)


def shingles(row: Sequence[str]) -> frozenset[Shingle]:
    """The word 3-grams of a normalized row; its words where there are fewer than three."""
    words = normalized(row).split(" ")
    if len(words) < 3:
        return frozenset((word,) for word in words)
    return frozenset(zip(words, words[1:], words[2:], strict=False))


class NearDuplicates:
    """An index of rows that finds those which nearly repeat another one.

    Near means a Jaccard similarity of the word 3-grams of at least `threshold`. The search is exact: with |A| and |B|
    3-grams, a similarity of t needs an overlap of at least t * max(|A|, |B|), so one of any |A| - ceil(t * |A|) + 1
    3-grams of A must be in B (prefix filtering: Bayardo, Ma and Srikant 2007). Rare 3-grams come first in that prefix.
    """

    def __init__(self, rows: Sequence[Sequence[str]], threshold: float) -> None:
        self._threshold = threshold
        self._sets: list[frozenset[Shingle]] = []
        self._rows_with: defaultdict[Shingle, list[int]] = defaultdict(list)
        self._exact: dict[str, int] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Sequence[str]) -> None:
        """Add a row; its number is the count of rows before it."""
        number = len(self._sets)
        self._sets.append(shingles(row))
        for shingle in self._sets[-1]:
            self._rows_with[shingle].append(number)
        self._exact.setdefault(normalized(row), number)

    def exact(self, row: Sequence[str]) -> int | None:
        """The first row that is the same after normalization."""
        return self._exact.get(normalized(row))

    def nearest(self, row: Sequence[str]) -> tuple[int, float] | None:
        """The most similar row at or over the threshold, with its similarity; the first of equals."""
        own = shingles(row)
        best = max(self._similar(own), key=lambda found: (found[1], -found[0]), default=None)
        return best if best is not None and best[1] >= self._threshold else None

    def _similar(self, own: frozenset[Shingle]) -> Iterator[tuple[int, float]]:
        rare_first = sorted(own, key=lambda shingle: (len(self._rows_with.get(shingle, ())), shingle))
        needed = max(1, -int(-self._threshold * len(own) // 1))
        candidates = {n for shingle in rare_first[: len(own) - needed + 1] for n in self._rows_with.get(shingle, ())}
        for number in candidates:
            shared = len(own & self._sets[number])
            yield number, shared / (len(own) + len(self._sets[number]) - shared)
