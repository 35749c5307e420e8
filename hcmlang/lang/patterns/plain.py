"""Patterns with explicit spaces: regular expressions over characters, and references to recursive rules.

The language puts a space between pieces that are not glued. So each pattern becomes up to two expressions for its non-empty
texts: with and without a space before the first piece. Whether it may be empty is recorded separately. Emitters and proofs
need not handle spaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hcmlang.lang.patterns import graph
from hcmlang.lang.patterns.free_text import lowered
from hcmlang.lang.syntax import Alternation, CharClass, FreeText, Item, Literal, Pattern, Reference, Repeat, Sequence


@dataclass(frozen=True)
class Text:
    """These characters."""

    text: str


@dataclass(frozen=True)
class Chars:
    """One of these characters."""

    chars: str


@dataclass(frozen=True)
class Join:
    """One after the other."""

    parts: tuple[Plain, ...]


@dataclass(frozen=True)
class Either:
    """One of several expressions."""

    options: tuple[Plain, ...]


@dataclass(frozen=True)
class Times:
    """From `low` to `high` times."""

    part: Plain
    low: int
    high: int


@dataclass(frozen=True)
class Use:
    """The definition of this name."""

    name: str


@dataclass(frozen=True)
class Unknown:
    """Any text: a value that is not known yet."""


Plain: TypeAlias = Text | Chars | Join | Either | Times | Use | Unknown

EMPTY = Text("")


@dataclass(frozen=True)
class Definitions:
    """An expression, and the definitions of the names in it."""

    start: Plain
    rules: Mapping[str, Plain]
    recursive: frozenset[str]
    """The names with recursive definitions, or that use one."""


def spaced_out(start: Pattern, rules: Mapping[str, Pattern]) -> Definitions:
    """The expression for all texts of `start`, including the empty text if allowed."""
    builder = _Builder(rules)
    body = builder.text(start, spaced=False)
    options = [body] if body is not None else []
    if graph.nullable(start, builder.empty):
        options.append(EMPTY)
    made = {name: plain for name, plain in builder.made.items() if plain is not None}
    circular = graph.recursive(rules)
    recursive = frozenset(name for name, rule in builder.origin.items() if rule in circular and name in made)
    return Definitions(either(options) or EMPTY, made, _users(made, recursive))


def _users(made: Mapping[str, Plain], recursive: frozenset[str]) -> frozenset[str]:
    edges = {name: set(uses(plain)) for name, plain in made.items()}
    return frozenset(name for name in made if name in recursive or graph.reachable(name, edges) & recursive)


def uses(plain: Plain) -> Iterator[str]:
    """The names that occur in an expression."""
    if isinstance(plain, Use):
        yield plain.name
    elif isinstance(plain, Join):
        for part in plain.parts:
            yield from uses(part)
    elif isinstance(plain, Either):
        for option in plain.options:
            yield from uses(option)
    elif isinstance(plain, Times):
        yield from uses(plain.part)


def either(options: list[Plain]) -> Plain | None:
    if len(options) < 2:
        return options[0] if options else None
    return Either(tuple(options))


class _Builder:
    def __init__(self, rules: Mapping[str, Pattern]) -> None:
        self._rules = rules
        #: Generated names contain a space, so that no rule has the same name.
        self._names: dict[object, str] = {}
        self._known: dict[tuple[int, bool], tuple[Pattern, Plain | None]] = {}
        self.made: dict[str, Plain | None] = {}
        #: The rule that a definition comes from, if any.
        self.origin: dict[str, str] = {}
        self.empty = graph.nullable_rules(rules)

    def text(self, pattern: Pattern, spaced: bool) -> Plain | None:
        """An expression for the non-empty texts of a pattern, built once; None if it has none."""
        key = (id(pattern), spaced)
        if key not in self._known:
            # Holding the pattern keeps its id from being reused.
            self._known[key] = (pattern, self._text(pattern, spaced))
        return self._known[key][1]

    def _text(self, pattern: Pattern, spaced: bool) -> Plain | None:
        if isinstance(pattern, Literal):
            lead = " " if spaced and not pattern.attached else ""
            return Text(lead + pattern.text) if pattern.text else None
        if isinstance(pattern, CharClass):
            return Join((Text(" "), Chars(pattern.chars))) if spaced else Chars(pattern.chars)
        if isinstance(pattern, Reference):
            return self._rule(pattern.name, spaced)
        if isinstance(pattern, Alternation):
            options = [self.text(choice.pattern, spaced) for choice in pattern.choices]
            return either([option for option in options if option is not None])
        if isinstance(pattern, Repeat):
            return self._repeat(pattern, spaced)
        if isinstance(pattern, Sequence):
            return self._sequence(pattern.items, spaced, begun=False)
        if isinstance(pattern, FreeText):
            return self.text(lowered(pattern), spaced)
        return Unknown()

    def _rule(self, name: str, spaced: bool) -> Plain | None:
        if name not in self._rules:
            return Unknown()
        key = f"{name} " if spaced else name
        if key not in self.made:
            self.made[key], self.origin[key] = Use(key), name
            self.made[key] = self.text(self._rules[name], spaced)
        return Use(key) if self.made[key] is not None else None

    def _sequence(self, items: tuple[Item, ...], spaced: bool, begun: bool) -> Plain | None:
        """`begun`: an earlier item of the sequence has written something, so glue counts. Only the items up to the first
        non-empty one need cases, and they are few; the rest is built once."""
        if not items:
            return None
        item, rest = items[0], items[1:]
        first = self.text(item.pattern, not item.glued if begun else spaced)
        options: list[Plain] = []
        if first is not None:
            after = self._sequence_once(rest, True, True)
            if after is not None:
                options.append(join(first, after))
            if all(graph.nullable(later.pattern, self.empty) for later in rest):
                options.append(first)
        if graph.nullable(item.pattern, self.empty):
            after = self._sequence_once(rest, spaced, begun)
            if after is not None:
                options.append(after)
        return either(options)

    def _sequence_once(self, items: tuple[Item, ...], spaced: bool, begun: bool) -> Plain | None:
        """The rest of a sequence, with a name if it would be repeated: after an item that may be empty."""
        if len(items) < 2 or not graph.nullable(items[0].pattern, self.empty):
            return self._sequence(items, spaced, begun)
        key = ("rest", items, spaced, begun)
        if key not in self._names:
            name = self._names[key] = f"rest {len(self._names)}"
            self.made[name] = Use(name)
            self.made[name] = self._sequence(items, spaced, begun)
        name = self._names[key]
        return Use(name) if self.made[name] is not None else None

    def _repeat(self, pattern: Repeat, spaced: bool) -> Plain | None:
        first, later = self.text(pattern.pattern, spaced), self.text(pattern.pattern, not pattern.glued)
        if first is None or later is None or pattern.high == 0:
            return None
        low = 0 if graph.nullable(pattern.pattern, self.empty) else max(0, pattern.low - 1)
        return first if pattern.high == 1 else join(first, Times(later, low, pattern.high - 1))


def join(*parts: Plain) -> Plain:
    """Concatenate expressions and merge adjacent texts."""
    flat: list[Plain] = []
    for part in parts:
        for expression in part.parts if isinstance(part, Join) else (part,):
            last = flat[-1] if flat else None
            if isinstance(expression, Text) and isinstance(last, Text):
                flat[-1] = Text(last.text + expression.text)
            else:
                flat.append(expression)
    return flat[0] if len(flat) == 1 else Join(tuple(flat))
