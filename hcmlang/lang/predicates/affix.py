"""`text starts with "so"`, `text ends with "!"`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from hcmlang.lang.predicates.base import Context, Machine, NoMask, Predicate, Test, Use, Wording
from hcmlang.lang.predicates.contains import refuse_empty
from hcmlang.lang.predicates.formula import Names
from hcmlang.lang.predicates.phrases import PhraseMachine, find_any, find_phrase, phrase_mask


@dataclass(frozen=True)
class Affix(Predicate):
    """The subject starts, or ends, with the word or phrase."""

    subject: str
    side: Literal["starts", "ends"]
    phrase: Names

    forms: ClassVar = {"starts": "starts with TEXT", "ends": "ends with TEXT"}
    documentation: ClassVar = {
        'text starts with "so"': "the text begins with the word or phrase",
        'text ends with "!"': "the text ends with the word or phrase",
    }
    operand_field = "phrase"
    cost = 3

    @classmethod
    def read(cls, use: Use) -> Affix:
        side: Any = use.form
        refuse_empty(use.arguments[0], use)
        return cls(use.subjects[0], side, use.arguments[0], span=use.span)

    def test(self, context: Context | None) -> Test:
        name, side = self.subject, self.side
        if self.phrase.name is not None:
            other = self.phrase.name
            return lambda fields: find_phrase(fields[other], side)(fields[name])
        found = find_any(self.phrase.texts, side)
        return lambda fields: found(fields[name])

    def machine(self) -> Machine | None:
        return PhraseMachine(self.phrase.texts, self.side) if self.phrase.name is None else None

    def mask(self, alphabet: str) -> str:
        if self.phrase.name is not None:
            raise NoMask("it is no regular expression")
        return phrase_mask(self.phrase.texts[0], alphabet, self.side)

    def in_words(self, wording: Wording, holds: bool) -> str:
        verb = "begins" if self.side == "starts" else "ends"
        return f"{wording.verb(self.subject, verb, holds)} with {wording.texts(self.phrase)}"
