"""`text uses only "a-z ,.'"`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hcmlang.lang.emit.classes import rust_class
from hcmlang.lang.patterns.free_text import STOPS, stops
from hcmlang.lang.predicates.base import Context, Machine, Predicate, Prune, State, Test, Use, Word, Wording
from hcmlang.lang.syntax import CharClass, FreeText, Literal, Pattern
from hcmlang.lang.wording import charset_in_words


@dataclass(frozen=True)
class UsesOnly(Predicate):
    """Every character of the subject is one of these."""

    subject: str
    charset: str

    forms: ClassVar = {"uses_only": "uses only CHARS"}
    words: ClassVar = {
        "uses": Word("Every character of the text is one of these.", 'require text uses only "a-z ,.\'"'),
        "only": Word("Belongs to `uses only`.", 'require text uses only "a-z ,.\'"'),
    }
    table = (('`text uses only "a-z ,.\'"`', "every character is one of these, written as in a class of a regex"),)
    cost = 1

    @classmethod
    def read(cls, use: Use) -> UsesOnly:
        return cls(use.subjects[0], use.arguments[0], span=use.span)

    def test(self, context: Context | None) -> Test:
        name, allowed = self.subject, frozenset(self.charset)
        return lambda fields: allowed.issuperset(fields[name])

    def machine(self) -> Machine:
        return _Only(self.charset)

    def mask(self, alphabet: str) -> str:
        return rust_class(self.charset) + "*"

    def prune(self, holds: bool) -> Prune | None:
        allowed = frozenset(self.charset)
        return (lambda piece, glued: _restricted(piece, allowed)) if holds else None

    def in_words(self, wording: Wording, holds: bool) -> str:
        return f"{wording.verb(self.subject, 'uses', holds)} only {charset_in_words(self.charset)}"


def _restricted(piece: Pattern, allowed: frozenset[str]) -> Pattern | None:
    """The piece restricted to the allowed characters."""
    if isinstance(piece, Literal):
        return piece if allowed.issuperset(piece.text) else None
    if isinstance(piece, CharClass):
        chars = "".join(char for char in piece.chars if char in allowed)
        return CharClass(chars) if chars else None
    if isinstance(piece, FreeText):
        chars = "".join(char for char in piece.charset if char in allowed)
        if piece.sentences is not None and not (allowed.intersection(stops(piece)) and chars.strip(STOPS)):
            return None
        return replace(piece, charset=chars) if chars else None
    return piece


class _Only:
    size = 1
    start: State = True

    def __init__(self, charset: str) -> None:
        self.special = frozenset(charset)

    def step(self, state: State, char: str) -> State:
        return bool(state) and char in self.special

    def accepts(self, state: State) -> bool:
        return bool(state)
