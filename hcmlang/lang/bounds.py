"""What the rules alone prove about every text they can write: how long it is, and which phrases it cannot avoid.

The bounds are safe, not tight: the real range lies within them. What is not known before binding is unbounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from hcmlang.lang.evaluate import find_phrase
from hcmlang.lang.free_text import WORD_CHARS, sentence_words
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
    """A range as a reader says it."""
    if found.high == inf:
        return f"at least {found.low:g}"
    return f"{found.low:g} to {found.high:g}" if found.low < found.high else f"{found.low:g}"


NOTHING = Range(0, 0)
ANYTHING = Range(0, inf)


def words(pattern: Pattern, rules: Mapping[str, Pattern]) -> Range:
    """The least and the greatest number of words of a text."""

    def literal(text: str, close: bool) -> Range:
        count = len(text.split())
        # The first word of a text that stands close to another one may be the end of that one's last word.
        return Range(max(0, count - close), count)

    def free(text: FreeText, close: bool) -> Range:
        low, high = text.words
        if text.words == (0, 0):
            low, high = 1, ((text.chars or (1, 1))[1] + 1) // 2
        elif text.sentences is not None:
            each = sentence_words(text) or (0, 0)
            low, high = each[0] * text.sentences[0], each[1] * text.sentences[1]
        return Range(max(0, low - close), high)

    return _measure(pattern, rules, _Sizes(literal, Range(0, 1), free), close=False)


def chars(pattern: Pattern, rules: Mapping[str, Pattern]) -> Range:
    """The least and the greatest number of characters of a text, spaces included."""

    def literal(text: str, close: bool) -> Range:
        return Range(len(text), len(text) + (not close)) if text else NOTHING

    def free(text: FreeText, close: bool) -> Range:
        low, high = words(text, rules).low, words(text, rules).high
        stops = text.sentences or (0, 0)
        least, most = 2 * low - 1 + stops[0], high * (WORD_CHARS + 1) - 1 + stops[1]
        if text.words == (0, 0):
            least, most = text.chars or (1, 1)
        return Range(least, most + (not close))

    return _measure(pattern, rules, _Sizes(literal, Range(1, 2), free), close=False)


@dataclass(frozen=True)
class _Sizes:
    """How large the pieces are: a literal and a free text by whether they stand close to what is before, a character."""

    literal: Callable[[str, bool], Range]
    char: Range
    free: Callable[[FreeText, bool], Range]


def _measure(
    pattern: Pattern,
    rules: Mapping[str, Pattern],
    sizes: _Sizes,
    close: bool,
    inside: frozenset[str] = frozenset(),
) -> Range:
    """`close`: no space stands before the pattern. A part that may be empty adds nothing at least."""

    def of(part: Pattern, close: bool) -> Range:
        return _measure(part, rules, sizes, close, inside)

    if isinstance(pattern, Literal):
        return sizes.literal(pattern.text, close or pattern.attached)
    if isinstance(pattern, CharClass):
        return sizes.char
    if isinstance(pattern, Value | OneOf):
        return ANYTHING
    if isinstance(pattern, FreeText):
        return sizes.free(pattern, close)
    if isinstance(pattern, Reference):
        if pattern.name in inside or pattern.name not in rules:
            return ANYTHING
        return _measure(rules[pattern.name], rules, sizes, close, inside | {pattern.name})
    if isinstance(pattern, Alternation):
        ranges = [of(choice.pattern, close) for choice in pattern.choices]
        return Range(min(r.low for r in ranges), max(r.high for r in ranges))
    if isinstance(pattern, Repeat):
        if pattern.high == 0:
            return NOTHING
        first, glued, spaced = of(pattern.pattern, close), of(pattern.pattern, True), of(pattern.pattern, False)
        later = Range(glued.low, spaced.high) if pattern.glued or close else spaced
        rest = later.times(max(0, pattern.low - 1), pattern.high - 1)
        return Range(first.low if pattern.low else 0, first.high) + rest
    total = NOTHING
    for number, item in enumerate(pattern.items):
        if number > 0 and (item.glued or close):
            # Whether its glue counts depends on what was written before it, so both ways are possible.
            total += Range(of(item.pattern, True).low, of(item.pattern, False).high)
        else:
            total += of(item.pattern, close and number == 0)
    return total


def always_contains(pattern: Pattern, rules: Mapping[str, Pattern], phrases: tuple[str, ...]) -> bool:
    """Whether every text has at least one of the phrases, because no way through the rules avoids them all."""
    return _certain(pattern, rules, phrases, frozenset())


def _certain(pattern: Pattern, rules: Mapping[str, Pattern], phrases: tuple[str, ...], inside: frozenset[str]) -> bool:
    if isinstance(pattern, Literal):
        return any(find_phrase(phrase)(pattern.text) for phrase in phrases)
    if isinstance(pattern, Reference):
        known = pattern.name in rules and pattern.name not in inside
        return known and _certain(rules[pattern.name], rules, phrases, inside | {pattern.name})
    if isinstance(pattern, Alternation):
        return all(_certain(choice.pattern, rules, phrases, inside) for choice in pattern.choices)
    if isinstance(pattern, Repeat):
        return pattern.low > 0 and not pattern.glued and _certain(pattern.pattern, rules, phrases, inside)
    if isinstance(pattern, Sequence):
        # What is glued to another part may become part of a longer word, so it proves nothing.
        glued = any(item.glued for item in pattern.items)
        return not glued and any(_certain(item.pattern, rules, phrases, inside) for item in pattern.items)
    return False
