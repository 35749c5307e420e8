"""Searches rules and machines together for a text that all of them accept.

The rules become a nondeterministic automaton over characters (Thompson 1968). Recursive rules and unknown values stand for
any text. So a failed search is always a proof, and a successful one only if the automaton is exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hcmlang.lang.characters import kind
from hcmlang.lang.patterns.plain import Chars, Definitions, Either, Join, Plain, Text, Times, Use
from hcmlang.lang.predicates.base import Machine, State

#: The most states of an automaton or a search.
MAX_STATES = 20_000
#: The most words, or letters, that are listed as possible continuations; if there are more, none are listed.
MOST_WORDS = 20
#: The most steps of related searches, counted for each machine: about a third of a second.
MAX_STEPS = 250_000


class TooLarge(Exception):
    """The automaton or search exceeds its limit of states or steps."""


class Effort:
    """A budget of steps for several searches, which limits their total time."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Raises :class:`TooLarge` when the budget is used up."""
        self._left -= steps
        if self._left < 0:
            raise TooLarge


@dataclass
class Automaton:
    """States are numbers from 0, the initial state. `edges[state]` are (characters, next state), where None stands for any
    character; `jumps[state]` are epsilon transitions."""

    edges: list[list[tuple[str | None, int]]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    final: int = 0
    exact: bool = True
    """Whether it accepts exactly what the rules write; otherwise it accepts more."""
    limit: int = MAX_STATES
    _closures: dict[int, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def state(self) -> int:
        if len(self.edges) >= self.limit:
            raise TooLarge
        self.edges.append([])
        self.jumps.append([])
        return len(self.edges) - 1

    def closure(self, state: int) -> tuple[int, ...]:
        """The epsilon closure of a state."""
        seen = {state}
        waiting = [state]
        while waiting:
            for other in self.jumps[waiting.pop()]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return tuple(sorted(seen))

    def accepts(self, text: str) -> bool:
        """Whether the automaton accepts the text."""
        states = self._read(text)
        return len(states) > len(text) and self.final in states[-1]

    def fits(self, text: str) -> tuple[int, list[str]]:
        """The offset of the first wrong word, and the words that may follow there ("" is the end of the text; no words if
        there are too many)."""
        states = self._read(text)
        read = len(states) - 1
        if read == len(text) or text[read] == " ":
            words = self._words(states[-1])
            if all(word.startswith(" ") or not word for word in words) or text[:read].endswith(" "):
                return read, words  # whole words are right
        start = text.rfind(" ", 0, read) + 1
        return start, self._words(states[start])

    def _read(self, text: str) -> list[frozenset[int]]:
        """The states before each character, while there are any."""
        found = [self._closed((0,))]
        for char in text:
            after = self._after(found[-1], char)
            if not after:
                break
            found.append(after)
        return found

    def _after(self, states: Iterable[int], char: str) -> frozenset[int]:
        return self._closed(
            {after for one in states for chars, after in self.edges[one] if chars is None or char in chars}
        )

    def _closed(self, states: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        for state in states:
            if state not in self._closures:
                self._closures[state] = self.closure(state)
            found.update(self._closures[state])
        return frozenset(found)

    def _words(self, states: frozenset[int]) -> list[str]:
        """The words that may follow up to the next space; none if there are too many."""
        found: set[str] = set()
        waiting = [("", states)]
        while waiting:
            text, at = waiting.pop()
            if self.final in at:
                found.add(text)
            sets = [chars for one in at for chars, _ in self.edges[one]]
            chars = sorted({char for some in sets for char in some or ""})
            if None in sets or len(chars) > MOST_WORDS or len(found) > MOST_WORDS:
                return []
            for char in chars:
                if char == " " and text.strip():
                    found.add(text)
                else:
                    waiting.append((text + char, self._after(at, char)))
            if len(waiting) > MOST_WORDS**2:
                return []
        return sorted(found)


def automaton(definitions: Definitions, limit: int = MAX_STATES) -> Automaton:
    """The automaton of an expression. Raises :class:`TooLarge`."""
    made = Automaton(limit=limit)
    start = made.state()
    made.final = _build(made, definitions, definitions.start, start)
    return made


def _build(made: Automaton, definitions: Definitions, plain: Plain, at: int) -> int:
    """Add an expression that begins in the state `at`. Returns its final state."""
    if isinstance(plain, Text):
        for char in plain.text:
            following = made.state()
            made.edges[at].append((char, following))
            at = following
        return at
    if isinstance(plain, Chars):
        following = made.state()
        made.edges[at].append((plain.chars, following))
        return following
    if isinstance(plain, Join):
        for part in plain.parts:
            at = _build(made, definitions, part, at)
        return at
    if isinstance(plain, Either):
        end = made.state()
        for option in plain.options:
            begin = made.state()
            made.jumps[at].append(begin)
            made.jumps[_build(made, definitions, option, begin)].append(end)
        return end
    if isinstance(plain, Times):
        ends = [at] if plain.low == 0 else []
        for number in range(1, plain.high + 1):
            at = _build(made, definitions, plain.part, at)
            if number >= plain.low:
                ends.append(at)
        end = made.state()
        for one in ends:
            made.jumps[one].append(end)
        return end
    if isinstance(plain, Use) and plain.name not in definitions.recursive:
        return _build(made, definitions, definitions.rules[plain.name], at)
    made.exact = False
    anything = made.state()
    made.jumps[at].append(anything)
    made.edges[anything].append((None, anything))
    return anything


@dataclass(frozen=True)
class Found:
    """A text that the rules write and the machines accept."""

    text: str
    certain: bool
    """Whether the rules are sure to write it, because the automaton is exact."""


def search(
    made: Automaton, machines: Sequence[Machine], limit: int, effort: Effort, shortest: bool = True
) -> Found | None:
    """A text that the automaton and all machines accept; None if there is none. Finding any text is faster than finding a
    `shortest` one.

    Raises :class:`TooLarge` after `limit` pairs of states, or when the effort is used up.
    """
    size = 1 + sum(one.size for one in machines)
    special = frozenset[str]().union(*(one.special for one in machines))
    closures: dict[int, tuple[int, ...]] = {}
    stepped: dict[tuple[State, ...], dict[str, tuple[State, ...]]] = {}
    start = (0, tuple(one.start for one in machines))
    came: dict[tuple[int, tuple[State, ...]], tuple[tuple[int, tuple[State, ...]], str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft() if shortest else waiting.pop()
        state, states = here
        if state not in closures:
            closures[state] = made.closure(state)
        if made.final in closures[state] and all(m.accepts(s) for m, s in zip(machines, states, strict=True)):
            return Found(_trace(came, here), made.exact)
        following = stepped.setdefault(states, {})
        for one in closures[state]:
            for chars, target in made.edges[one]:
                for char in representatives(chars, special):
                    effort.spend(size)
                    if char not in following:
                        effort.spend(4 * size)
                        following[char] = tuple(m.step(s, char) for m, s in zip(machines, states, strict=True))
                    there = (target, following[char])
                    if there not in came:
                        if len(came) >= limit:
                            raise TooLarge
                        came[there] = (here, char)
                        waiting.append(there)
    return None


def _trace(came: dict, state: tuple[int, tuple[State, ...]]) -> str:  # type: ignore[type-arg]
    text = []
    while (step := came[state]) is not None:
        state, char = step
        text.append(char)
    return "".join(reversed(text))


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[str, ...], ...]:
    """Many characters of each kind, for edges that take any character."""
    found: dict[str, list[str]] = {}
    for char in map(chr, range(0x800)):
        found.setdefault(kind(char), []).append(char)
    return tuple(tuple(chars) for chars in found.values())


@lru_cache(maxsize=4096)
def representatives(chars: str | None, special: frozenset[str]) -> tuple[str, ...]:
    """Characters that represent all of `chars`: the special ones, and one of each kind among the others."""
    if chars is None:
        others = (next((char for char in chars if char not in special), None) for chars in _kinds())
        return (*sorted(special), *(char for char in others if char is not None))
    if len(chars) == 1:
        return (chars,)
    groups: dict[str, str] = {}
    for char in chars:
        groups.setdefault(char if char in special else kind(char), char)
    return tuple(groups.values())


@dataclass(frozen=True)
class RightLinear:
    """A deterministic automaton: state 0 is the initial one, `steps[state]` are (characters, next state), and a text may end
    in a `final` state. Every state leads to a final one."""

    steps: tuple[tuple[tuple[str, int], ...], ...]
    final: tuple[bool, ...]


def product(made: Automaton, machines: Sequence[Machine], limit: int) -> RightLinear:
    """The texts that the automaton and all machines accept, as a deterministic automaton.

    Raises :class:`TooLarge` beyond `limit` states, ValueError if the automaton is not exact or accepts no text.
    """
    if not made.exact:
        raise ValueError("the rules are not all known, or lead back to themselves")
    special = frozenset[str]().union(*(one.special for one in machines))
    closures = [frozenset(made.closure(state)) for state in range(len(made.edges))]
    start = (closures[0], tuple(one.start for one in machines))
    numbers = {start: 0}
    waiting = deque([start])
    steps: list[dict[int, str]] = []
    final: list[bool] = []
    while waiting:
        places, states = waiting.popleft()
        final.append(made.final in places and all(m.accepts(s) for m, s in zip(machines, states, strict=True)))
        targets: dict[str, set[int]] = {}
        for place in places:
            for chars, target in made.edges[place]:
                for char in chars or "":
                    targets.setdefault(char, set()).add(target)
        row: dict[int, str] = {}
        stepped: dict[str, tuple[State, ...]] = {}
        for char in sorted(targets):
            group = char if char in special else kind(char)
            if group not in stepped:
                stepped[group] = tuple(m.step(s, char) for m, s in zip(machines, states, strict=True))
            following = (frozenset().union(*(closures[target] for target in targets[char])), stepped[group])
            if following not in numbers:
                if len(numbers) >= limit:
                    raise TooLarge
                numbers[following] = len(numbers)
                waiting.append(following)
            number = numbers[following]
            row[number] = row.get(number, "") + char
        steps.append(row)
    return _trimmed(steps, final)


def _trimmed(steps: list[dict[int, str]], final: list[bool]) -> RightLinear:
    """Remove the states that lead to no final state."""
    before: list[set[int]] = [set() for _ in steps]
    for state, row in enumerate(steps):
        for target in row:
            before[target].add(state)
    alive = {state for state, ends in enumerate(final) if ends}
    waiting = list(alive)
    while waiting:
        for state in before[waiting.pop()]:
            if state not in alive:
                alive.add(state)
                waiting.append(state)
    if 0 not in alive:
        raise ValueError("no text is left")
    order = {state: number for number, state in enumerate(sorted(alive))}
    rows = tuple(
        tuple((chars, order[target]) for target, chars in steps[state].items() if target in alive)
        for state in sorted(alive)
    )
    return RightLinear(rows, tuple(final[state] for state in sorted(alive)))
