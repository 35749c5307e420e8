"""Whether the rules of a program can write given texts, with each shared rule chosen once for all fields.

A grammar says no more than that each use of a rule with `=` may be any of its texts. Here what such a rule has written is
kept while the texts are read, so that it must be the same wherever the rule is used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hcmlang.lang.compiled import CompiledProgram
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Unknown, Use

#: What the shared rules have written so far, sorted by name.
Chosen = tuple[tuple[str, str], ...]
#: Where reading can continue, and with which choices.
States = frozenset[tuple[int, Chosen]]


def writes(program: CompiledProgram, texts: Mapping[str, str]) -> bool:
    """Whether the rules write these texts, one for each field; constraints are not looked at. The program is one without a
    row, whose rules with `=` are still open, or one with a row, whose choices are made."""
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
    """Reads one text by the definitions of its field."""

    def __init__(self, definitions: Definitions, shared: Collection[str], text: str) -> None:
        self._definitions = definitions
        self._shared = shared
        self._text = text
        #: What was found out; the expression is kept with it, so that its identity stays its own.
        self._known: dict[tuple[int, int, Chosen], tuple[Plain, States]] = {}

    def whole(self, chosen: Chosen) -> set[Chosen]:
        """The choices with which the whole text can be read."""
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
        """What a rule reads. Its definition after a space has the same name and a space behind it."""
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
