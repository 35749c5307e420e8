"""`text contains "not"`, `text contains any LIST`, `text contains all LIST`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.machines import Together
from hcmlang.lang.patterns.bounds import always_contains
from hcmlang.lang.predicates.base import Context, Machine, NoMask, Predicate, Prune, Test, Use, Word, Wording
from hcmlang.lang.predicates.formula import Formula, Names, combination
from hcmlang.lang.predicates.phrases import PhraseMachine, find_any, find_phrase, phrase_mask
from hcmlang.lang.syntax import Literal as Text
from hcmlang.lang.syntax import Pattern

#: The longest `contains all` that is split into single predicates; a longer one is tested.
_MOST_SINGLES = 100
#: The most phrases of a `contains all` in a proof of impossibility.
_MOST_RELAXED = 20


@dataclass(frozen=True)
class Contains(Predicate):
    """The subject contains any, or all, of the words or phrases; a list contains its texts."""

    subject: str
    quantity: Literal["any", "all"]
    phrases: Names

    forms: ClassVar = {"contains": "contains TEXT", "contains_list": "contains any|all LIST"}
    words: ClassVar = {
        "contains": Word(
            "The word or phrase occurs as a whole, in any case: `not` is not in `nothing`. A list contains its texts.",
            "require text contains any hypothesis.triggers",
        ),
        "any": Word("At least one of the list.", 'require text contains any ["not", "never"]'),
        "all": Word("Every text of the list.", 'require text contains all ["not", "good"]'),
    }
    table = (
        ('`text contains "not"`', "the word or phrase occurs as a whole, in any case: `not` is not in `nothing`"),
        ("`text contains any LIST`", 'at least one text of the list occurs; `LIST` is in scope, or `["a", "b"]`'),
        ("`text contains all LIST`", "all texts of the list occur"),
    )
    operand_field = "phrases"
    takes_lists = True
    cost = 3

    @classmethod
    def read(cls, use: Use) -> Contains:
        *quantity, phrases = use.arguments
        refuse_empty(phrases, use)
        return cls(use.subjects[0], quantity[0] if quantity else "any", phrases, span=use.span)

    def respelled(self, name: str, single: bool) -> str:
        return f"{self.subject} contains {'' if single else 'any '}{name}"

    def test(self, context: Context | None) -> Test:
        name, phrases = self.subject, self.phrases
        if phrases.name is not None:
            other = phrases.name
            return lambda fields: find_phrase(fields[other])(fields[name])
        if self.quantity == "all":
            finds = [find_phrase(phrase) for phrase in phrases.texts]
            return lambda fields: all(find(fields[name]) for find in finds)
        found = find_any(phrases.texts)
        return lambda fields: found(fields[name])

    def holds_for_list(self, value: Sequence[str]) -> bool:
        listed = [text in value for text in self.phrases.texts]
        return all(listed) if self.quantity == "all" else any(listed)

    @property
    def phrase_count(self) -> int:
        return len(self.phrases.texts)

    def desugared(self) -> Formula:
        texts = self.phrases.texts
        if self.quantity == "any" or self.phrases.name is not None or len(texts) > _MOST_SINGLES:
            return self
        singles = [replace(self, quantity="any", phrases=replace(self.phrases, texts=(text,))) for text in texts]
        return combination(True, singles)

    def relaxed(self) -> Contains:
        if self.quantity == "any":
            return self
        return self.with_operand(replace(self.phrases, texts=self.phrases.texts[:_MOST_RELAXED]))

    def joined(self, other: Predicate) -> Contains | None:
        if not isinstance(other, Contains) or other.subject != self.subject:
            return None
        if not (self.quantity == other.quantity == "any" and self.phrases.name is other.phrases.name is None):
            return None
        texts = tuple(dict.fromkeys(self.phrases.texts + other.phrases.texts))
        return self.with_operand(replace(self.phrases, texts=texts))

    def machine(self) -> Machine | None:
        if self.phrases.name is not None:
            return None
        if self.quantity == "any":
            return PhraseMachine(self.phrases.texts)
        return Together([PhraseMachine((phrase,)) for phrase in self.phrases.texts], every=True)

    def mask(self, alphabet: str) -> str:
        if self.phrases.name is not None or self.quantity == "all":
            raise NoMask("it is no regular expression")
        return "(" + "|".join(phrase_mask(phrase, alphabet) for phrase in self.phrases.texts) + ")"

    def prune(self, holds: bool) -> Prune | None:
        """Removes literals with a forbidden phrase. The ends of a glued literal may be part of longer words, so the phrase
        must be inside it."""
        several = self.quantity == "all" and len(self.phrases.texts) > 1
        if holds or several or self.phrases.name is not None:
            return None
        found = find_any(self.phrases.texts)

        def prune(piece: Pattern, glued: bool) -> Pattern | None:
            broken = isinstance(piece, Text) and found(f"_{piece.text}_" if glued else piece.text)
            return None if broken else piece

        return prune

    def proof(self, pattern: Pattern, rules: Mapping[str, Pattern]) -> tuple[bool | None, str] | None:
        if self.phrases.name is not None or self.quantity == "all":
            return None
        if always_contains(pattern, rules, find_any(self.phrases.texts)):
            return True, "every text of the rules contains it"
        return None, "some texts of the rules do not contain it"

    @property
    def placeable(self) -> tuple[str, ...]:
        return self.phrases.texts if self.quantity == "any" and self.phrases.name is None else ()

    def in_words(self, wording: Wording, holds: bool) -> str:
        texts = wording.texts(self.phrases)
        if self.phrases.name is not None or len(self.phrases.texts) == 1:
            return f"{wording.verb(self.subject, 'contains', holds)} {texts}"
        if not holds and self.quantity == "any":
            return f"{wording.named(self.subject)} contains none of: {texts}"
        which = "at least one of" if self.quantity == "any" else "all of"
        return f"{wording.verb(self.subject, 'contains', holds)} {which}: {texts}"


def refuse_empty(phrases: Names, use: Use) -> None:
    """Report an empty text among phrases to look for."""
    if any(not text.strip() for text in phrases.texts):
        message = "every text contains the empty text"
        use.diagnostics.append(Diagnostic("empty-text", message, phrases.span, "write a word or a phrase"))
