"""`similarity(a, b) in 0.2..0.9`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.predicates.base import Context, Function, Predicate, Test, Use, Word, Wording
from hcmlang.lang.predicates.formula import Names


def words_of(text: str) -> frozenset[str]:
    """The lower-case words of a text (letters and digits)."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def similarity(first: str, second: str) -> float:
    """The share of words that two texts have in common (Jaccard 1901), from 0 to 1; 1 for two texts without words."""
    a, b = words_of(first), words_of(second)
    return len(a & b) / len(a | b) if a or b else 1.0


@dataclass(frozen=True)
class Similarity(Predicate):
    """The share of words that two texts have in common lies in the range, ends included."""

    subject: str
    other: Names
    low: float
    high: float

    functions: ClassVar = {
        "similarity": Function("share", "two texts", "similarity(premise, hypothesis) in 0.2..0.9", argument="text")
    }
    words: ClassVar = {
        "similarity": Word(
            "The share of words that two texts have in common (Jaccard), from 0 to 1.",
            "require similarity(premise, hypothesis) in 0.2..0.9",
        )
    }
    table = (
        (
            "`similarity(a, b) in 0.2..0.9`",
            "the number of words in both texts, divided by the number in either (Jaccard)",
        ),
    )
    operand_field = "other"
    cost = 5

    @classmethod
    def read(cls, use: Use) -> Similarity:
        return cls(use.subjects[0], use.arguments[0], *use.bounds, span=use.span)

    def test(self, context: Context | None) -> Test:
        name, low, high, other = self.subject, self.low, self.high, self.other
        if other.name is not None:
            second = other.name
            return lambda fields: low <= similarity(fields[name], fields[second]) <= high
        return lambda fields: low <= similarity(fields[name], other.texts[0]) <= high

    def in_words(self, wording: Wording, holds: bool) -> str:
        low, high = f"{max(0.0, self.low):.0%}", f"{min(1.0, self.high):.0%}"
        return f"{wording.verb(self.subject, 'shares', holds)} {low} to {high} of the words with {wording.texts(self.other)}"
