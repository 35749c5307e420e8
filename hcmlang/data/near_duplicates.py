"""When two rows say the same: exactly, after normalization, or nearly, by the words they share."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"\w+|[^\w\s]")
#: Separates the texts of a pair; it occurs in no text.
_BOUNDARY = "\x1f"
#: Tolerance of products such as 0.56 * 25, which must not come out above 14.
_ROUNDING = 1e-9

Shingle = tuple[str, ...]


def normalized(row: Sequence[str]) -> str:
    """A row without its case, spacing and punctuation; equal for rows that say the same.

    Symbols (`+`, `$`, an emoji) say something and stay, and so does a text that is punctuation altogether.
    """

    def words(text: str) -> list[str]:
        tokens = _TOKEN.findall(text.casefold())
        return [token for token in tokens if not _is_punctuation(token)] or tokens

    return f" {_BOUNDARY} ".join(" ".join(words(text)) for text in row)


def shingles(row: Sequence[str]) -> frozenset[Shingle]:
    """The word 3-grams of a normalized row; its words where there are fewer than three."""
    words = normalized(row).split(" ")
    if len(words) < 3:
        return frozenset((word,) for word in words)
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _is_punctuation(token: str) -> bool:
    return len(token) == 1 and (unicodedata.category(token)[0] == "P" or token in "`´")


class NearDuplicates:
    """An index of rows that finds those which nearly repeat another one.

    Near means a Jaccard similarity of the shingles of at least `threshold`. The search is exact: with |A| and |B|
    shingles, a similarity of t needs an overlap of at least t * max(|A|, |B|), so one of any |A| - ceil(t * |A|) + 1
    shingles of A must be in B, and |B| lies between t * |A| and |A| / t (prefix and length filtering: Bayardo, Ma and
    Srikant 2007). The rarest shingles make the shortest lists of candidates.
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
        found = [near for near in self._similar(shingles(row)) if near[1] >= self._threshold]
        return max(found, key=lambda near: (near[1], -near[0]), default=None)

    def _similar(self, own: frozenset[Shingle]) -> Iterator[tuple[int, float]]:
        needed = math.ceil(self._threshold * len(own) - _ROUNDING)
        longest = len(own) / self._threshold + _ROUNDING
        lists = sorted((self._rows_with.get(shingle, ()) for shingle in own), key=len)
        for number in set().union(*lists[: len(own) - needed + 1]):
            other = self._sets[number]
            if needed <= len(other) <= longest and (shared := len(own & other)) >= needed:
                yield number, shared / (len(own) + len(other) - shared)
