"""Proves properties of all texts of the rules: their length, and phrases that they always contain.

The bounds are safe, not tight: the real range lies within them. Values unknown before binding are unbounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from hcmlang.lang.patterns.free_text import WORD_CHARS, sentence_words
from hcmlang.lang.patterns.graph import recursive
from hcmlang.lang.syntax import (
    Alternation,
    CharClass,
    FreeText,
    Literal,
    OneOf,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    Value,
)


@dataclass(frozen=True)
class Range:
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, low: int, high: int) -> Range:
        return Range(self.low * low, self.high * high if high else 0)


def in_words(found: Range) -> str:
    """A range in English."""
    if found.high == inf:
        return f"at least {found.low:g}"
    return f"{found.low:g} to {found.high:g}" if found.low < found.high else f"{found.low:g}"


NOTHING = Range(0, 0)
ANYTHING = Range(0, inf)


def words(pattern: Pattern, rules: Mapping[str, Pattern]) -> Range:
    """The fewest and most words of a text."""

    def literal(text: str, close: bool) -> Range:
        count = len(text.split())
        # The first word of an attached text may continue the last word of the text before it.
        return Range(max(0, count - close), count)

    def free(text: FreeText, close: bool) -> Range:
        low, high = text.words
        if text.words == (0, 0):
            low, high = 1, ((text.chars or (1, 1))[1] + 1) // 2
        elif text.sentences is not None:
            each = sentence_words(text) or (0, 0)
            low, high = each[0] * text.sentences[0], each[1] * text.sentences[1]
        return Range(max(0, low - close), high)

    return _Measure(rules, literal, Range(0, 1), free).of(pattern, close=False)


def chars(pattern: Pattern, rules: Mapping[str, Pattern]) -> Range:
    """The fewest and most characters of a text, including spaces."""

    def literal(text: str, close: bool) -> Range:
        return Range(len(text), len(text) + (not close)) if text else NOTHING

    def free(text: FreeText, close: bool) -> Range:
        low, high = words(text, rules).low, words(text, rules).high
        stops = text.sentences or (0, 0)
        least, most = 2 * low - 1 + stops[0], high * (WORD_CHARS + 1) - 1 + stops[1]
        if text.words == (0, 0):
            least, most = text.chars or (1, 1)
        return Range(least, most + (not close))

    return _Measure(rules, literal, Range(1, 2), free).of(pattern, close=False)


class _Measure:
    """Measures each part of a pattern once, with `literal` and `free` (which also get whether the piece is attached) and
    `char`. Recursive rules may have any size."""

    def __init__(
        self,
        rules: Mapping[str, Pattern],
        literal: Callable[[str, bool], Range],
        char: Range,
        free: Callable[[FreeText, bool], Range],
    ) -> None:
        self._rules = rules
        self._literal = literal
        self._char = char
        self._free = free
        self._recursive = recursive(rules)
        #: Cache by identity, because comparing equal parts is slow. It holds the part, so that its id is not reused.
        self._known: dict[tuple[int, bool], tuple[Pattern, Range]] = {}

    def of(self, pattern: Pattern, close: bool) -> Range:
        """The range of a pattern. `close`: there is no space before it."""
        key = (id(pattern), close)
        if key not in self._known:
            self._known[key] = (pattern, self._measure(pattern, close))
        return self._known[key][1]

    def _measure(self, pattern: Pattern, close: bool) -> Range:
        if isinstance(pattern, Literal):
            return self._literal(pattern.text, close or pattern.attached)
        if isinstance(pattern, CharClass):
            return self._char
        if isinstance(pattern, Value | OneOf):
            return ANYTHING
        if isinstance(pattern, FreeText):
            return self._free(pattern, close)
        if isinstance(pattern, Reference):
            unknown = pattern.name not in self._rules or pattern.name in self._recursive
            return ANYTHING if unknown else self.of(self._rules[pattern.name], close)
        if isinstance(pattern, Alternation):
            ranges = [self.of(choice.pattern, close) for choice in pattern.choices]
            return Range(min(r.low for r in ranges), max(r.high for r in ranges))
        if isinstance(pattern, Repeat):
            return self._repeat(pattern, close)
        total = NOTHING
        for number, item in enumerate(pattern.items):
            if number > 0 and (item.glued or close):
                # Whether its glue counts depends on the text before it, so both are possible.
                total += Range(self.of(item.pattern, True).low, self.of(item.pattern, False).high)
            else:
                total += self.of(item.pattern, close and number == 0)
        return total

    def _repeat(self, pattern: Repeat, close: bool) -> Range:
        if pattern.high == 0:
            return NOTHING
        first, glued = self.of(pattern.pattern, close), self.of(pattern.pattern, True)
        spaced = self.of(pattern.pattern, False)
        later = Range(glued.low, spaced.high) if pattern.glued or close else spaced
        rest = later.times(max(0, pattern.low - 1), pattern.high - 1)
        return Range(first.low if pattern.low else 0, first.high) + rest


def always_contains(pattern: Pattern, rules: Mapping[str, Pattern], found: Callable[[str], bool]) -> bool:
    """Whether every path through the rules writes one of some phrases. `found` tests a literal for whole phrases."""
    known: dict[str, bool] = {}

    def certain(part: Pattern) -> bool:
        if isinstance(part, Literal):
            return found(part.text)
        if isinstance(part, Reference):
            if part.name not in known:
                known[part.name] = False  # a rule that leads only to itself proves nothing
                known[part.name] = part.name in rules and certain(rules[part.name])
            return known[part.name]
        if isinstance(part, Alternation):
            return all(certain(choice.pattern) for choice in part.choices)
        if isinstance(part, Repeat):
            return part.low > 0 and not part.glued and certain(part.pattern)
        # A glued part may become part of a longer word, so it proves nothing.
        loose = isinstance(part, Sequence) and not any(item.glued for item in part.items)
        return loose and isinstance(part, Sequence) and any(certain(item.pattern) for item in part.items)

    return certain(pattern)
