"""Finding repeated rows: equal after normalization, or similar by their shared words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"\w+|[^\w\s]")
#: Separates the texts of a pair. It occurs in no text.
_BOUNDARY = "\x1f"
#: Rounding tolerance: 0.56 * 25 must not exceed 14.
_ROUNDING = 1e-9

Shingle = tuple[str, ...]


def normalized(row: Sequence[str]) -> str:
    """Normalize a row: remove case, spacing and punctuation.

    Symbols (`+`, `$`, emoji) carry meaning and stay, and so does a text that is only punctuation.
    """

    def words(text: str) -> list[str]:
        tokens = _TOKEN.findall(text.casefold())
        return [token for token in tokens if not _is_punctuation(token)] or tokens

    return f" {_BOUNDARY} ".join(" ".join(words(text)) for text in row)


def shingles(row: Sequence[str]) -> frozenset[Shingle]:
    """The word 3-grams of a normalized row, or its words if there are fewer than three."""
    words = normalized(row).split(" ")
    if len(words) < 3:
        return frozenset((word,) for word in words)
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _is_punctuation(token: str) -> bool:
    return len(token) == 1 and (unicodedata.category(token)[0] == "P" or token in "`´")


class NearDuplicates:
    """An index that finds the rows nearly repeated by another row.

    Rows nearly repeat each other if the Jaccard similarity of their shingles is at least `threshold`. The search is exact:
    with |A| and |B| shingles, a similarity of t needs an overlap of at least t * max(|A|, |B|). So one of any
    |A| - ceil(t * |A|) + 1 shingles of A must be in B, and |B| is between t * |A| and |A| / t (prefix and length filtering:
    Bayardo, Ma and Srikant 2007). The rarest shingles give the shortest candidate lists.
    """

    def __init__(self, rows: Sequence[Sequence[str]], threshold: float) -> None:
        self._threshold = threshold
        self._sets: list[frozenset[Shingle]] = []
        self._rows_with: defaultdict[Shingle, list[int]] = defaultdict(list)
        self._exact: dict[str, int] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Sequence[str]) -> None:
        """Add a row. Rows are numbered from 0 in the order of their addition."""
        number = len(self._sets)
        self._sets.append(shingles(row))
        for shingle in self._sets[-1]:
            self._rows_with[shingle].append(number)
        self._exact.setdefault(normalized(row), number)

    def exact(self, row: Sequence[str]) -> int | None:
        """The number of the first row that is equal after normalization."""
        return self._exact.get(normalized(row))

    def nearest(self, row: Sequence[str]) -> tuple[int, float] | None:
        """The number and similarity of the most similar row at or above the threshold; the first one on ties."""
        similar = [near for near in self._similar(shingles(row)) if near[1] >= self._threshold]
        return max(similar, key=lambda near: (near[1], -near[0]), default=None)

    def _similar(self, own: frozenset[Shingle]) -> Iterator[tuple[int, float]]:
        needed = math.ceil(self._threshold * len(own) - _ROUNDING)
        longest = len(own) / self._threshold + _ROUNDING
        lists = sorted((self._rows_with.get(shingle, ()) for shingle in own), key=len)
        for number in set().union(*lists[: len(own) - needed + 1]):
            other = self._sets[number]
            if needed <= len(other) <= longest and (shared := len(own & other)) >= needed:
                yield number, shared / (len(own) + len(other) - shared)
