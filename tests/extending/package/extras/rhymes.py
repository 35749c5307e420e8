"""The predicate `rhymes with`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.predicates.base import Context, Predicate, Test, Use
from hcmlang.lang.predicates.formula import Names


@dataclass(frozen=True)
class Rhymes(Predicate):
    """The text ends with the same letter as a word."""

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
        return lambda fields: fields[name][-1:] == (fields[word.name] if word.name else word.texts[0])[-1:]
