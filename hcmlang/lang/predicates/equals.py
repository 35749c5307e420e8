"""`text == "a"`, `text != "a"`, `text in LIST`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.lang.emit.classes import rust, text
from hcmlang.lang.predicates.base import Context, Machine, NoMask, Predicate, State, Test, Use, Wording
from hcmlang.lang.predicates.formula import Formula, Names, Not


@dataclass(frozen=True)
class Equals(Predicate):
    """The subject is one of the texts, letter by letter."""

    subject: str
    texts: Names

    forms: ClassVar = {"equals": "== TEXT", "differs": "!= TEXT", "member": "in LIST"}
    table = (
        (
            '`text == "a"`, `text != "a"`, `text in LIST`',
            "the text is this, is not, or is one of these, letter by letter",
        ),
    )
    operand_field = "texts"
    compares_whole_texts = True
    cost = 1

    @classmethod
    def read(cls, use: Use) -> Formula:
        predicate = cls(use.subjects[0], use.arguments[0], span=use.span)
        return Not(predicate) if use.form == "differs" else predicate

    def respelled(self, name: str, single: bool) -> str:
        return f"{self.subject} {'==' if single else 'in'} {name}"

    def test(self, context: Context | None) -> Test:
        name, other, texts = self.subject, self.texts.name, frozenset(self.texts.texts)
        if other is not None:
            return lambda fields: fields[name] == fields[other]
        return lambda fields: fields[name] in texts

    def machine(self) -> Machine | None:
        return _Listed(self.texts.texts) if self.texts.name is None else None

    def mask(self, alphabet: str) -> str:
        if self.texts.name is not None:
            raise NoMask("it is no regular expression")
        return "(" + "|".join(text(chars, rust) for chars in self.texts.texts) + ")"

    def in_words(self, wording: Wording, holds: bool) -> str:
        which = "exactly one of" if len(self.texts.texts) > 1 else "exactly"
        return f"{wording.verb(self.subject, 'is', holds)} {which}: {wording.texts(self.texts)}"


class _Listed:
    """A state is the text so far, while it is a prefix of a listed text."""

    size = 1
    start: State = ""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = frozenset(texts)
        self._beginnings = {text[:size] for text in texts for size in range(len(text) + 1)}
        self.special = frozenset("".join(texts))
        if not texts:
            self.start = None

    def step(self, state: State, char: str) -> State:
        assert state is None or isinstance(state, str)
        longer = None if state is None else state + char
        return longer if longer in self._beginnings else None

    def accepts(self, state: State) -> bool:
        return state in self._texts
