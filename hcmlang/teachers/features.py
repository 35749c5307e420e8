"""The features of a text, or of a pair of texts, by which mistakes are compared with correct rows."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hcmlang.data.table import Table

#: A word with what an apostrophe joins to it; or what treebanks split off (`it 's`), but no opening quote.
WORD = re.compile(r"\w+(?:['’]\w+)?|['’](?:s|re|ve|ll|d|m|t)\b", re.IGNORECASE)

NEGATORS = frozenset(
    ("not", "n't", "no", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor", "cannot", "without")
    + ("hardly", "scarcely", "barely", "rarely", "seldom")
)
CONTRASTS = frozenset(
    ("but", "although", "though", "despite", "however", "yet", "nevertheless", "nonetheless", "still", "while")
    + ("whereas", "unless", "except", "instead", "in spite of", "for all", "even if", "even though")
    + ("aside from", "apart from")
)
_CONTRAST_PHRASES = frozenset(phrase for phrase in CONTRASTS if " " in phrase)
#: The share of common words of a pair that counts as high, and as low.
_HIGH_OVERLAP, _LOW_OVERLAP = 0.6, 0.2


class Feature(NamedTuple):
    """A feature that a row has or not.

    `kind` is `word`, `phrase`, `negation`, `contrast`, `length` or `overlap`; `name` distinguishes features of a kind;
    `field` is the text column, empty for tasks with one column or for the whole row.
    """

    kind: str
    name: str
    field: str = ""

    @property
    def lexical(self) -> bool:
        """Whether it is one of the many n-grams, not one of the few features that are tested in any data."""
        return self.kind in ("word", "phrase")


@dataclass(frozen=True)
class Described:
    """A table's rows by their features: `has[row, i]` (a scipy CSC matrix, bool) is about `features[i]`."""

    features: tuple[Feature, ...]
    has: Any
    lengths: tuple[int, int]
    """A row with fewer words than the first is short; with more than the second, long."""

    def rows(self, feature: int) -> np.ndarray:
        """The numbers of the rows that have a feature, ascending."""
        begin, end = self.has.indptr[feature : feature + 2]
        return np.asarray(self.has.indices[begin:end])


def describe(table: Table) -> Described:
    """The features of all rows of a non-empty table."""
    from scipy.sparse import csr_matrix

    counts = array("i", (sum(len(words_of(text)) for text in row) for row in table.texts()))
    low, high = np.quantile(counts, [0.2, 0.8], method="nearest")
    lengths = (int(low), int(high))
    number: dict[Feature, int] = {}
    # Numbers of four bytes, because a row has dozens of features.
    columns, ends = array("i"), array("q", [0])
    for texts in table.texts():
        # Sorted, because the numbers of features must not depend on Python's hash seed.
        own = [number.setdefault(f, len(number)) for f in sorted(features_of(texts, table.fields, lengths))]
        columns.extend(own)
        ends.append(len(columns))
    has = csr_matrix((np.ones(len(columns), dtype=bool), columns, ends), (len(table), len(number)))
    return Described(tuple(number), has.tocsc(), lengths)


def runs_of(text: str) -> list[list[str]]:
    """Lower-case words in runs that punctuation ends: the words of a run are next to each other in the text.

    `isn't` and the treebank's `n't` are one word each; punctuation is no word.
    """
    runs: list[list[str]] = [[]]
    end = 0
    for match in WORD.finditer(text):
        if text[end : match.start()].strip():
            runs.append([])
        end = match.end()
        if match[0].strip("_"):
            runs[-1].append(match[0].lower())
        else:
            runs.append([])
    return [run for run in runs if run]


def words_of(text: str) -> list[str]:
    """The words of all runs."""
    return [word for run in runs_of(text) for word in run]


def negators_in(words: Iterable[str]) -> list[str]:
    """The negators among the words, including contractions (`isn't`)."""
    return sorted({word for word in words if word in NEGATORS or word.endswith(("n't", "n’t"))})


def contrasts_in(text: str) -> list[str]:
    """The markers of contrast or concession in the text."""
    found: set[str] = set()
    for run in runs_of(text):
        padded = f" {' '.join(run)} "
        found |= CONTRASTS.intersection(run) | {phrase for phrase in _CONTRAST_PHRASES if f" {phrase} " in padded}
    return sorted(found)


def features_of(row: Sequence[str], fields: Sequence[str], lengths: tuple[float, float]) -> set[Feature]:
    """All features of a row; `lengths` as in :class:`Described`."""
    found: set[Feature] = set()
    words = [words_of(text) for text in row]
    for field, text, own in zip(fields, row, words, strict=True):
        at = field if len(fields) > 1 else ""
        found |= {Feature("word", word, at) for word in own}
        for run in runs_of(text):
            for size in (2, 3):
                grams = zip(*(run[i:] for i in range(size)), strict=False)
                found |= {Feature("phrase", " ".join(gram), at) for gram in grams}
        if negators_in(own):
            found.add(Feature("negation", "negation", at))
        if contrasts_in(text):
            found.add(Feature("contrast", "contrast", at))
    count = sum(map(len, words))
    if count < lengths[0]:
        found.add(Feature("length", "short"))
    if count > lengths[1]:
        found.add(Feature("length", "long"))
    if len(row) == 2:
        found |= _overlap(set(words[0]), set(words[1]))
    return found


def _overlap(first: set[str], second: set[str]) -> set[Feature]:
    shared = len(first & second) / max(1, len(first | second))
    found = set()
    if shared >= _HIGH_OVERLAP:
        found.add(Feature("overlap", "high"))
    if shared <= _LOW_OVERLAP:
        found.add(Feature("overlap", "low"))
    if bool(negators_in(first)) != bool(negators_in(second)):
        found.add(Feature("overlap", "one-negated"))
    return found
