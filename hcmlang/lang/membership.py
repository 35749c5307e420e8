"""Tests whether the rules of a program can write given texts, with the same choices in all fields.

A grammar lets each use of a rule with `=` be any of its texts. This reader remembers the text of each such rule, so that all
uses must agree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hcmlang.lang.compiled import CompiledProgram
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Unknown, Use

#: The texts of rules with `=` so far, sorted by the rules' names.
Chosen = tuple[tuple[str, str], ...]
#: Positions that reading can continue from, each with its choices.
States = frozenset[tuple[int, Chosen]]


def writes(program: CompiledProgram, texts: Mapping[str, str]) -> bool:
    """Whether the rules write these texts, one for each field. Constraints are ignored. Rules with `=` may be open (a program
    without a row) or chosen already."""
    if set(texts) != set(program.fields):
        return False
    given: dict[str, str] = {}
    choices: set[Chosen] = {()}
    for name in program.fields:
        reader = _Reader(program.definitions(name, given), program.draft.shared, texts[name])
        choices = {chosen for before in choices for chosen in reader.whole(before)}
        if not choices:
            return False
        given[name] = texts[name]
    return True


class _Reader:
    """Matches one text against the definitions of its field."""

    def __init__(self, definitions: Definitions, shared: Collection[str], text: str) -> None:
        self._definitions = definitions
        self._shared = shared
        self._text = text
        #: Cache by identity. It holds the expression, so that its id is not reused.
        self._known: dict[tuple[int, int, Chosen], tuple[Plain, States]] = {}

    def whole(self, chosen: Chosen) -> set[Chosen]:
        """The choices that match the whole text."""
        ends = self._ends(self._definitions.start, 0, chosen)
        return {after for end, after in ends if end == len(self._text)}

    def _ends(self, plain: Plain, start: int, chosen: Chosen) -> States:
        key = (id(plain), start, chosen)
        if key not in self._known:
            self._known[key] = (plain, self._find(plain, start, chosen))
        return self._known[key][1]

    def _find(self, plain: Plain, start: int, chosen: Chosen) -> States:
        if isinstance(plain, Text):
            fits = self._text.startswith(plain.text, start)
            return frozenset({(start + len(plain.text), chosen)} if fits else ())
        if isinstance(plain, Chars):
            fits = start < len(self._text) and self._text[start] in plain.chars
            return frozenset({(start + 1, chosen)} if fits else ())
        if isinstance(plain, Either):
            return frozenset().union(*(self._ends(option, start, chosen) for option in plain.options))
        if isinstance(plain, Join):
            states: States = frozenset({(start, chosen)})
            for part in plain.parts:
                states = self._after(states, part)
            return states
        if isinstance(plain, Times):
            return self._repeated(plain, start, chosen)
        if isinstance(plain, Use):
            return self._used(plain.name, start, chosen)
        assert isinstance(plain, Unknown)
        return frozenset((end, chosen) for end in range(start, len(self._text) + 1))

    def _after(self, states: States, part: Plain) -> States:
        return frozenset().union(*(self._ends(part, start, chosen) for start, chosen in states))

    def _repeated(self, plain: Times, start: int, chosen: Chosen) -> States:
        states: States = frozenset({(start, chosen)})
        found: set[tuple[int, Chosen]] = set(states) if plain.low == 0 else set()
        for number in range(1, plain.high + 1):
            states = self._after(states, plain.part)
            if not states:
                break
            if number >= plain.low:
                found |= states
        return frozenset(found)

    def _used(self, name: str, start: int, chosen: Chosen) -> States:
        """Match a rule. Its definition with a leading space has the same name followed by a space."""
        rule = name.removesuffix(" ")
        states = self._ends(self._definitions.rules[name], start, chosen)
        if rule not in self._shared:
            return states
        found = set()
        for end, after in states:
            read = self._text[start:end]
            bare = read.removeprefix(" ") if name != rule else read
            before = dict(after).get(rule)
            if before in (None, bare):
                found.add((end, tuple(sorted({**dict(after), rule: bare}.items()))))
        return frozenset(found)
