"""`words(text) in 5..30`, `chars(text) <= 200`, `sentences(text) == 1`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal

from hcmlang.lang.emit.classes import rust_class, space_chars
from hcmlang.lang.patterns import bounds
from hcmlang.lang.predicates.base import Context, Function, Machine, Predicate, State, Test, Use, Word, Wording
from hcmlang.lang.syntax import Pattern

Measure = Literal["words", "chars", "sentences"]


def count_sentences(text: str) -> int:
    """The number of pieces of a text that end with `.`, `!` or `?` before a space, or with the text."""
    return len([piece for piece in re.split(r"(?<=[.!?])\s+", text.strip()) if piece])


MEASURES: Mapping[str, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "chars": len,
    "sentences": count_sentences,
}


@dataclass(frozen=True)
class Length(Predicate):
    """The number of words, characters or sentences lies in the range, ends included."""

    measure: Measure
    subject: str
    low: int
    high: float

    functions: ClassVar = {
        "words": Function("count", "one text", "words(text) in 5..30"),
        "chars": Function("count", "one text", "chars(text) in 20..200"),
        "sentences": Function("count", "one text", "sentences(text) in 1..2"),
    }
    words: ClassVar = {
        "words": Word("How many words a text has, separated by spaces.", "require words(text) in 5..30"),
        "chars": Word("How many characters a text has.", "require chars(text) in 20..200"),
        "sentences": Word(
            "How many sentences a text has: pieces that end with `.`, `!` or `?` before a space or the end.",
            "require sentences(text) in 1..2",
        ),
    }
    table = (
        (
            "`words(text) in 5..30`",
            "the number of words (separated by spaces) lies in the range, ends included; also `== 5`, `<= 30`, `>= 5`",
        ),
        ("`chars(text) in 20..200`", "the same for characters"),
        (
            "`sentences(text) in 1..2`",
            "the same for sentences: pieces that end with `.`, `!` or `?` before a space or the end",
        ),
    )
    cost = 1
    counts = True
    mask_weight = 200

    @classmethod
    def read(cls, use: Use) -> Length:
        measure: Any = use.form
        return cls(measure, use.subjects[0], int(use.bounds[0]), use.bounds[1], span=use.span)

    def test(self, context: Context | None) -> Test:
        measure, name, low, high = MEASURES[self.measure], self.subject, self.low, self.high
        return lambda fields: low <= measure(fields[name]) <= high

    def machine(self) -> Machine:
        makers: dict[str, type[_Words | _Chars | _Sentences]] = {
            "words": _Words,
            "chars": _Chars,
            "sentences": _Sentences,
        }
        return makers[self.measure](self.low, self.high)

    def mask(self, alphabet: str) -> str:
        low, high = self.low, self.high
        if self.measure == "chars":
            return f"(?s:.){_times(low, high)}"
        spaces = space_chars(alphabet)
        space, other = rust_class(spaces), rust_class(spaces, negated=True)
        if self.measure == "words":
            if high == 0:
                return f"{space}*"
            some = f"{space}*{other}+({space}+{other}+){_times(max(0, low - 1), high - 1)}{space}*"
            return f"({some})" if low else f"({some}|{space}*)"
        stop = rust_class(".!?")
        open_word = f"{other}*{rust_class(spaces + '.!?', negated=True)}"
        sentence = f"({open_word}{space}+)*{other}*{stop}"
        unfinished = f"{open_word}({space}+{open_word})*"
        if high == 0:
            return f"{space}*"
        times = _times(max(0, low - 1), high - 1)
        whole = f"{sentence}({space}+{sentence}){times}|({sentence}{space}+){times}{unfinished}"
        return f"{space}*({whole}){space}*" if low else f"({space}*({whole}){space}*|{space}*)"

    def proof(self, pattern: Pattern, rules: Mapping[str, Pattern]) -> tuple[bool | None, str] | None:
        if self.measure == "sentences":
            return None
        written = (bounds.words if self.measure == "words" else bounds.chars)(pattern, rules)
        why = f"the rules write {bounds.in_words(written)} {self.measure}"
        if self.low <= written.low and written.high <= self.high:
            return True, why
        return (False if written.low > self.high or written.high < self.low else None), why

    def in_words(self, wording: Wording, holds: bool) -> str:
        return f"{wording.verb(self.subject, 'has', holds)} {length_in_words(self.measure, self.low, self.high)}"


def length_in_words(measure: str, low: float, high: float) -> str:
    """`at least 5 words`, `exactly 1 character`, `3 to 8 sentences`."""
    unit = "characters" if measure == "chars" else measure
    if high == inf:
        text = f"at least {low:g}"
    elif low <= 0:
        text = f"at most {high:g}"
    else:
        text = f"exactly {low:g}" if low == high else f"{low:g} to {high:g}"
    last = low if high == inf else high
    return f"{text} {unit.removesuffix('s') if last == 1 else unit}"


def _times(low: float, high: float) -> str:
    return f"{{{low:.0f},}}" if high == inf else f"{{{low:.0f},{high:.0f}}}"


class _Counter:
    """Counts up to the number beyond which the result is the same."""

    special: frozenset[str] = frozenset()
    size = 1

    def __init__(self, low: int, high: float) -> None:
        self._low, self._high = low, high
        self._cap = low if high == inf else int(high) + 1

    def _more(self, count: int) -> int:
        return min(count + 1, self._cap)

    def accepts(self, state: State) -> bool:
        assert isinstance(state, tuple)
        return self._low <= int(state[0]) <= self._high


class _Chars(_Counter):
    start: State = (0,)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        return (self._more(state[0]),)


class _Words(_Counter):
    """A state is the number of words begun, and whether the last character is in a word."""

    start: State = (0, False)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        count, inside = state
        if char.isspace():
            return count, False
        return (count if inside else self._more(count)), True


class _Sentences(_Counter):
    """A state is the number of sentences begun, whether the text is in a sentence, and whether it could end here."""

    start: State = (0, False, False)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        count, inside, stopped = state
        if char.isspace():
            return count, inside and not stopped, False
        return (count if inside else self._more(count)), True, char in ".!?"
