"""Bound rules as a grammar in llguidance's Lark syntax, which guides a language model token by token.

A space stands before a piece if something precedes it that the piece is not glued to. So each pattern becomes up to
two grammar rules for the non-empty texts it writes: one whose first piece brings a space, one whose first piece does
not. The empty text is decided apart from them (`_nullable`).

llguidance cuts a text into the longest terminals it can, which would tear apart alternatives with a common beginning.
So everything that does not recurse is one terminal (upper case), which is exact; only recursive rules are grammar rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from hcmlang.lang.check import parts, recursive
from hcmlang.lang.syntax import Alternation, CharClass, Item, Literal, Pattern, Reference, Repeat, Sequence


def to_lark(start: Pattern, rules: Mapping[str, Pattern]) -> str:
    """A grammar that accepts exactly the texts that `start` writes (shared rules apart)."""
    return _Emitter(rules).grammar(start)


class _Emitter:
    def __init__(self, rules: Mapping[str, Pattern]) -> None:
        self._rules = rules
        self._lines: list[str] = []
        self._names: dict[object, str | None] = {}
        self._empty = _nullable_rules(rules)
        self._recursive = recursive(rules)

    def grammar(self, start: Pattern) -> str:
        body = self._named(("start",), (start,), lambda: self._text(start, spaced=False))
        alternatives = [body] if body else []
        if self._nullable(start):
            alternatives.append('""')
        return "\n".join([f"start: {' | '.join(alternatives)}", *self._lines]) + "\n"

    def _nullable(self, pattern: Pattern) -> bool:
        return _nullable(pattern, self._empty)

    def _text(self, pattern: Pattern, spaced: bool) -> str | None:
        """An expression for the non-empty texts of a pattern; None where it has none."""
        if isinstance(pattern, Literal):
            lead = " " if spaced and not pattern.attached else ""
            return json.dumps(lead + pattern.text, ensure_ascii=False) if pattern.text else None
        if isinstance(pattern, CharClass):
            chars = "".join(re.escape(char) if char in "]\\^-/[&~|" else char for char in pattern.chars)
            return f'" " /[{chars}]/' if spaced else f"/[{chars}]/"
        if isinstance(pattern, Reference):
            body = self._rules[pattern.name]
            key = ("rule", pattern.name, spaced)
            return self._named(key, (pattern, body), lambda: self._text(body, spaced))
        if isinstance(pattern, Alternation):
            texts = [self._text(choice.pattern, spaced) for choice in pattern.choices]
            return _either([text for text in texts if text])
        if isinstance(pattern, Repeat):
            return self._repeat(pattern, spaced)
        if isinstance(pattern, Sequence):
            return self._sequence(pattern.items, spaced)
        raise TypeError(f"{pattern} has no value yet")

    def _sequence(self, items: tuple[Item, ...], spaced: bool, begun: bool = False) -> str | None:
        """`begun`: an earlier item of the same sequence has written something, so that glue counts."""
        if not items:
            return None
        item, rest = items[0], items[1:]
        first = self._text(item.pattern, not item.glued if begun else spaced)
        options = []
        if first:
            if rest and (after := self._rest(rest, spaced=True, begun=True)):
                options.append(f"{first} {after}")
            if all(self._nullable(later.pattern) for later in rest):
                options.append(first)
        if rest and self._nullable(item.pattern) and (after := self._rest(rest, spaced, begun)):
            options.append(after)
        return _either(options)

    def _rest(self, items: tuple[Item, ...], spaced: bool, begun: bool) -> str | None:
        if len(items) == 1:
            return self._sequence(items, spaced, begun)
        patterns = tuple(item.pattern for item in items)
        return self._named(("rest", items, spaced, begun), patterns, lambda: self._sequence(items, spaced, begun))

    def _repeat(self, pattern: Repeat, spaced: bool) -> str | None:
        first, later = self._text(pattern.pattern, spaced), self._text(pattern.pattern, not pattern.glued)
        if not first or not later or pattern.high == 0:
            return None
        low = 0 if self._nullable(pattern.pattern) else max(0, pattern.low - 1)
        return first if pattern.high == 1 else f"{first} ({later}){{{low},{pattern.high - 1}}}"

    def _named(self, key: object, patterns: tuple[Pattern, ...], build: Callable[[], str | None]) -> str | None:
        """The name under which an expression is defined once; `patterns` are what it is made of."""
        if key not in self._names:
            regular = all(self._regular(pattern) for pattern in patterns)
            name = f"{'T' if regular else 'r'}{len(self._names)}"
            self._names[key] = name
            body = build()
            if body is None:
                self._names[key] = None
            else:
                self._lines.append(f"{name}: {body}")
        return self._names[key]

    def _regular(self, pattern: Pattern) -> bool:
        """Whether no recursive rule is reachable."""
        seen: set[str] = set()
        waiting = [pattern]
        while waiting:
            for part in parts(waiting.pop()):
                if isinstance(part, Reference) and part.name not in seen:
                    seen.add(part.name)
                    waiting.append(self._rules[part.name])
        return not seen & self._recursive


def _either(options: list[str]) -> str | None:
    if len(options) < 2:
        return options[0] if options else None
    return "(" + " | ".join(options) + ")"


def _nullable_rules(rules: Mapping[str, Pattern]) -> set[str]:
    found: set[str] = set()
    while grown := {name for name, pattern in rules.items() if name not in found and _nullable(pattern, found)}:
        found |= grown
    return found


def _nullable(pattern: Pattern, empty: set[str]) -> bool:
    """Whether the pattern may write nothing."""
    if isinstance(pattern, Literal):
        return not pattern.text
    if isinstance(pattern, Reference):
        return pattern.name in empty
    if isinstance(pattern, Alternation):
        return any(_nullable(choice.pattern, empty) for choice in pattern.choices)
    if isinstance(pattern, Sequence):
        return all(_nullable(item.pattern, empty) for item in pattern.items)
    return isinstance(pattern, Repeat) and (pattern.low == 0 or _nullable(pattern.pattern, empty))
