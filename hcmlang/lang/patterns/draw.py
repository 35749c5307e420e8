"""Draws texts from bound rules with a seeded generator. Alternatives are weighted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from random import Random
from string import ascii_lowercase

from hcmlang.lang.build import literal
from hcmlang.lang.patterns.free_text import STOPS, lowered
from hcmlang.lang.syntax import (
    Alternation,
    CharClass,
    FreeText,
    Item,
    Literal,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    Value,
)

#: Nesting depth from which a recursive rule takes the shortest path to its end.
MAX_DEPTH = 24


class Drawer:
    """Draws from rules in which every value is known."""

    def __init__(self, rules: Mapping[str, Pattern], shared: frozenset[str]) -> None:
        self._rules = rules
        self._shared = shared
        self._heights = _heights(rules)
        self._weights: dict[int, list[float]] = {}
        self._out: list[str] = []
        #: The text of each shared rule in this draw, and whether it is attached to the text before it.
        self._chosen: dict[str, tuple[str, bool]] = {}
        self._close = False
        self._depth = 0

    def draw(self, fields: Mapping[str, Pattern], random: Random) -> dict[str, str]:
        """The text of each field. A shared rule writes the same text in all fields."""
        self._random = random
        self._chosen = {}
        self._fields: dict[str, str] = {}
        for name, pattern in fields.items():
            self._fields[name] = self._text(pattern)[0]
        return self._fields

    def draw_shared(self, names: Iterable[str], random: Random) -> dict[str, tuple[str, bool]]:
        """The text of each shared rule, and whether it is attached to the text before it."""
        self._random = random
        self._chosen = {}
        self._fields = {}
        for name in names:
            if name not in self._chosen:
                self._chosen[name] = self._text(self._rules[name])
        return {name: self._chosen[name] for name in names}

    def _text(self, pattern: Pattern) -> tuple[str, bool]:
        """The text of the pattern by itself, and whether it is attached to the text before it."""
        outer = self._out, self._close
        self._out, self._close = [], False
        self._write(pattern, glued=False)
        written = "".join(self._out), self._close
        self._out, self._close = outer
        return written

    def _write(self, pattern: Pattern, glued: bool) -> None:
        """Append the text of the pattern; `glued`: no space before its first piece."""
        if isinstance(pattern, Literal):
            self._piece(pattern.text, glued or pattern.attached)
        elif isinstance(pattern, Reference):
            self._rule(pattern.name, glued)
        elif isinstance(pattern, Sequence):
            self._sequence(pattern.items, glued)
        elif isinstance(pattern, Alternation):
            self._write(self._choose(pattern), glued)
        elif isinstance(pattern, Repeat):
            count = self._random.randint(pattern.low, pattern.high) if self._depth <= MAX_DEPTH else pattern.low
            self._sequence((Item(pattern.pattern, pattern.glued),) * count, glued)
        elif isinstance(pattern, CharClass):
            self._piece(self._random.choice(pattern.chars), glued)
        elif isinstance(pattern, FreeText):
            self._write(_readable(pattern), glued)
        elif isinstance(pattern, Value) and pattern.name in self._fields:
            text = literal(self._fields[pattern.name])
            self._piece(text.text, glued or text.attached)
        else:
            raise TypeError(f"{pattern} has no value yet")

    def _sequence(self, items: tuple[Item, ...], glued: bool) -> None:
        """Append the texts of the items. The first piece, from whichever item, is glued like the sequence; between items,
        their own glue counts."""
        start = len(self._out)
        for item in items:
            self._write(item.pattern, item.glued if len(self._out) > start else glued)

    def _piece(self, text: str, glued: bool) -> None:
        if not text:
            return
        if not self._out:
            self._close = glued
        elif not glued:
            self._out.append(" ")
        self._out.append(text)

    def _rule(self, name: str, glued: bool) -> None:
        if name in self._shared:
            if name not in self._chosen:
                self._chosen[name] = self._text(self._rules[name])
            text, close = self._chosen[name]
            self._piece(text, glued or close)
            return
        self._depth += 1
        self._write(self._rules[name], glued)
        self._depth -= 1

    def _choose(self, pattern: Alternation) -> Pattern:
        choices = pattern.choices
        if self._depth > MAX_DEPTH:
            return min(choices, key=lambda choice: _height(choice.pattern, self._heights)).pattern
        weights = self._weights.get(id(pattern))
        if weights is None:
            weights = self._weights[id(pattern)] = list(accumulate(choice.weight for choice in choices))
        return self._random.choices(choices, cum_weights=weights)[0].pattern


def _readable(free: FreeText) -> Pattern:
    """Free text in letters if it may use them. Without a model, it is only a placeholder."""
    letters = "".join(char for char in free.charset if char in ascii_lowercase)
    stops = "".join(char for char in free.charset if char in STOPS)
    return lowered(replace(free, charset=letters + stops) if len(letters) > 1 else free)


def _heights(rules: Mapping[str, Pattern]) -> dict[str, float]:
    """For each rule, the least nesting depth with which it can end."""
    heights = dict.fromkeys(rules, float("inf"))
    changed = True
    while changed:
        found = {name: 1 + _height(pattern, heights) for name, pattern in rules.items()}
        changed = found != heights
        heights = found
    return heights


def _height(pattern: Pattern, heights: Mapping[str, float]) -> float:
    if isinstance(pattern, Reference):
        return heights[pattern.name]
    if isinstance(pattern, Alternation):
        return min(_height(choice.pattern, heights) for choice in pattern.choices)
    if isinstance(pattern, Sequence):
        return max((_height(item.pattern, heights) for item in pattern.items), default=0)
    return _height(pattern.pattern, heights) if isinstance(pattern, Repeat) and pattern.low else 0
