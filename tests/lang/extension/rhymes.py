"""A package with two predicates: one that is only tested, and one with a machine and a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.predicates.base import Context, Function, Predicate, Test, Use, Wording
from hcmlang.lang.predicates.formula import Names


@dataclass(frozen=True)
class Rhymes(Predicate):
    """The text ends with the same two letters as a word."""

    subject: str
    word: Names

    forms: ClassVar = {"rhymes": "rhymes with TEXT"}
    documentation: ClassVar = {'text rhymes with "plot"': "the text ends as the word does"}
    operand_field = "word"
    cost = 2

    @classmethod
    def read(cls, use: Use) -> Rhymes:
        return cls(use.subjects[0], use.arguments[0], span=use.span)

    def test(self, context: Context | None) -> Test:
        name, word = self.subject, self.word
        return lambda fields: fields[name][-2:] == (fields[word.name] if word.name else word.texts[0])[-2:]


class _Count:
    """Counts vowels up to one more than `high`."""

    special = frozenset("aeiou")
    size = 1
    start = 0

    def __init__(self, low: int, high: float) -> None:
        self._low, self._high = low, high

    def step(self, state: object, char: str) -> int:
        assert isinstance(state, int)
        return state if char not in "aeiou" or state > max(self._low, min(self._high, 99)) else state + 1

    def accepts(self, state: object) -> bool:
        assert isinstance(state, int)
        return self._low <= state <= self._high


@dataclass(frozen=True)
class Vowels(Predicate):
    """The number of vowels lies in the range."""

    subject: str
    low: int
    high: float

    functions: ClassVar = {"vowels": Function("count", "one text")}
    documentation: ClassVar = {"vowels(text) in 2..9": "the number of vowels lies in the range"}

    @classmethod
    def read(cls, use: Use) -> Vowels:
        return cls(use.subjects[0], int(use.bounds[0]), use.bounds[1], span=use.span)

    def test(self, context: Context | None) -> Test:
        return lambda fields: self.low <= sum(char in "aeiou" for char in fields[self.subject]) <= self.high

    def machine(self) -> _Count:
        return _Count(self.low, self.high)

    def in_words(self, wording: Wording, holds: bool) -> str:
        return f"{wording.verb(self.subject, 'has', holds)} {self.low} to {self.high:g} vowels"
