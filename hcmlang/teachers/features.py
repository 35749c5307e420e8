"""What a text, or a pair of texts, is described by when mistakes are compared with rows that went well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:['’]\w+)?|['’]\w+")

NEGATORS = frozenset(
    ("not", "n't", "no", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor", "cannot", "without")
    + ("hardly", "scarcely", "barely", "rarely", "seldom")
)
CONTRASTS = frozenset(
    ("but", "although", "though", "despite", "however", "yet", "nevertheless", "nonetheless", "still", "while")
    + ("whereas", "unless", "except", "instead", "in spite of", "for all", "even if", "even though")
    + ("aside from", "apart from")
)


@dataclass(frozen=True, order=True)
class Feature:
    """Something a row has or has not.

    `kind` is `word`, `phrase`, `negation`, `contrast`, `length` or `overlap`; `name` tells it from others of its kind;
    `field` is the text column it is found in, empty where the task has only one or the whole row is meant.
    """

    kind: str
    name: str
    field: str = ""


def words_of(text: str) -> list[str]:
    """Lower-case words; `isn't` and the treebank's `n't` are one word each, punctuation is none."""
    return [word.lower() for word in _WORD.findall(text)]


def phrases_in(words: Sequence[str], phrases: frozenset[str]) -> list[str]:
    """Which of the phrases (words or sequences of words) occur, in a fixed order."""
    known, text = set(words), f" {' '.join(words)} "
    return sorted(p for p in phrases if (p in known if " " not in p else f" {p} " in text))


def negators_in(words: Sequence[str]) -> list[str]:
    """The negators that occur; contractions (`isn't`) count as they are."""
    contracted = {word for word in words if word.endswith(("n't", "n’t"))}
    return sorted(set(phrases_in(words, NEGATORS)) | contracted)


def features_of(row: Sequence[str], fields: Sequence[str], lengths: tuple[float, float]) -> set[Feature]:
    """All features of a row. `lengths` are the word counts under and over which a row is short or long."""
    found: set[Feature] = set()
    texts = [words_of(text) for text in row]
    for field, words in zip(fields, texts, strict=True):
        at = field if len(fields) > 1 else ""
        found |= {Feature("word", word, at) for word in words}
        for size in (2, 3):
            found |= {
                Feature("phrase", " ".join(gram), at) for gram in zip(*(words[i:] for i in range(size)), strict=False)
            }
        if negators_in(words):
            found.add(Feature("negation", "negation", at))
        if phrases_in(words, CONTRASTS):
            found.add(Feature("contrast", "contrast", at))
    count = sum(map(len, texts))
    if count < lengths[0]:
        found.add(Feature("length", "short"))
    if count > lengths[1]:
        found.add(Feature("length", "long"))
    if len(texts) == 2:
        found |= _overlap(set(texts[0]), set(texts[1]))
    return found


def _overlap(first: set[str], second: set[str]) -> set[Feature]:
    shared = len(first & second) / max(1, len(first | second))
    found = {Feature("overlap", "high")} if shared >= 0.6 else {Feature("overlap", "low")} if shared <= 0.2 else set()
    if bool(negators_in(sorted(first))) != bool(negators_in(sorted(second))):
        found.add(Feature("overlap", "one-negated"))
    return found
