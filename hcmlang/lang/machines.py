"""Predicates as deterministic machines that read a text one character at a time.

A machine has a state for every difference that matters, so what the rules can write and what a predicate allows can be
walked through together (:mod:`hcmlang.lang.automata`). Each machine agrees with :mod:`hcmlang.lang.evaluate` on every
text; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from hcmlang.lang.characters import is_word, spellings
from hcmlang.lang.regex_machine import regex_machine
from hcmlang.lang.syntax import (
    Combined,
    Constant,
    Contains,
    Count,
    Edge,
    Matches,
    Member,
    Not,
    Predicate,
    UsesOnly,
)

State = Hashable


class Machine(Protocol):
    """`special` are the characters that the machine tells apart one by one; others count by their kind
    (:func:`hcmlang.lang.characters.kind`). `size` is how dear a step is: about the parts of a state."""

    special: frozenset[str]
    size: int
    start: State

    def step(self, state: State, char: str) -> State: ...

    def accepts(self, state: State) -> bool: ...


def machine(predicate: Predicate, subject: str) -> Machine | None:
    """The machine of a predicate, its values filled in, about one field; None where it depends on more than that."""
    if isinstance(predicate, Constant):
        return _Always(predicate.value)
    if isinstance(predicate, Not):
        inner = machine(predicate.part, subject)
        return None if inner is None else _Negated(inner)
    if isinstance(predicate, Combined):
        parts = [machine(part, subject) for part in predicate.parts]
        known = [part for part in parts if part is not None]
        return _Together(known, predicate.every) if len(known) == len(parts) else None
    if getattr(predicate, "subject", None) != subject:
        return None
    return _simple(predicate)


def _simple(predicate: Predicate) -> Machine | None:
    if isinstance(predicate, Count):
        makers: dict[str, type[_Words | _Chars | _Sentences]] = {
            "words": _Words,
            "chars": _Chars,
            "sentences": _Sentences,
        }
        return makers[predicate.measure](predicate.low, predicate.high)
    if isinstance(predicate, UsesOnly):
        return _Only(predicate.charset)
    if isinstance(predicate, Member) and predicate.texts.name is None:
        return _Listed(predicate.texts.texts)
    if isinstance(predicate, Edge) and predicate.phrase.name is None:
        return _Phrases(predicate.phrase.texts, predicate.side)
    if isinstance(predicate, Contains) and predicate.phrases.name is None:
        if predicate.quantity == "any":
            return _Phrases(predicate.phrases.texts, "")
        return _Together([_Phrases((phrase,), "") for phrase in predicate.phrases.texts], every=True)
    if isinstance(predicate, Matches):
        return regex_machine(predicate.regex, predicate.ignore_case)
    return None


class _Always:
    special: frozenset[str] = frozenset()
    size = 1
    start: State = 0

    def __init__(self, value: bool) -> None:
        self._value = value

    def step(self, state: State, char: str) -> State:
        return state

    def accepts(self, state: State) -> bool:
        return self._value


class _Negated:
    def __init__(self, inner: Machine) -> None:
        self._inner = inner
        self.special = inner.special
        self.size = inner.size
        self.start = inner.start

    def step(self, state: State, char: str) -> State:
        return self._inner.step(state, char)

    def accepts(self, state: State) -> bool:
        return not self._inner.accepts(state)


class _Together:
    """Several machines at once; all must accept, or one."""

    def __init__(self, parts: list[Machine], every: bool) -> None:
        self._parts = parts
        self._every = every
        self.special = frozenset[str]().union(*(part.special for part in parts))
        self.size = sum(part.size for part in parts)
        self.start: State = tuple(part.start for part in parts)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        return tuple(part.step(at, char) for part, at in zip(self._parts, state, strict=True))

    def accepts(self, state: State) -> bool:
        assert isinstance(state, tuple)
        accepted = (part.accepts(at) for part, at in zip(self._parts, state, strict=True))
        return all(accepted) if self._every else any(accepted)


class _Counter:
    """Counts up to where more makes no difference."""

    special: frozenset[str] = frozenset()
    size = 1

    def __init__(self, low: int, high: float) -> None:
        self._low, self._high = low, high
        self._cap = low if high == float("inf") else int(high) + 1

    def _more(self, count: int) -> int:
        return min(count + 1, self._cap)

    def _fits(self, count: int) -> bool:
        return self._low <= count <= self._high


class _Chars(_Counter):
    start: State = 0

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, int)
        return self._more(state)

    def accepts(self, state: State) -> bool:
        assert isinstance(state, int)
        return self._fits(state)


class _Words(_Counter):
    """The words that have begun, and whether one is going on."""

    start: State = (0, False)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        count, inside = state
        if char.isspace():
            return count, False
        return (count if inside else self._more(count)), True

    def accepts(self, state: State) -> bool:
        assert isinstance(state, tuple)
        return self._fits(state[0])


class _Sentences(_Counter):
    """The sentences that have begun; whether one is going on, and whether it could end here."""

    start: State = (0, False, False)

    def step(self, state: State, char: str) -> State:
        assert isinstance(state, tuple)
        count, inside, stopped = state
        if char.isspace():
            return count, inside and not stopped, False
        return (count if inside else self._more(count)), True, char in ".!?"

    def accepts(self, state: State) -> bool:
        assert isinstance(state, tuple)
        return self._fits(state[0])


class _Only:
    size = 1
    start: State = True

    def __init__(self, charset: str) -> None:
        self.special = frozenset(charset)

    def step(self, state: State, char: str) -> State:
        return bool(state) and char in self.special

    def accepts(self, state: State) -> bool:
        return bool(state)


class _Listed:
    """The text so far, as long as one of the listed texts begins with it."""

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


class _Phrases:
    """Whole words and phrases, in any case and spacing; with `side`, only where the text starts or ends with them.

    A state is `True` once found (not for `ends`), or whether the last character belongs to a word, and the places within
    phrases that the text may be at: (phrase, number of its parts read).
    """

    def __init__(self, phrases: tuple[str, ...], side: str) -> None:
        self._side = side
        #: Each phrase as parts: a set of characters, or None for spaces.
        self._parts: list[list[frozenset[str] | None]] = []
        self._bounds: list[tuple[bool, bool]] = []
        self._first: dict[str, list[int]] = {}
        for words in map(str.split, phrases):
            if not words:
                continue
            parts: list[frozenset[str] | None] = []
            for number, word in enumerate(words):
                parts += [None] if number else []
                parts += [spellings(char) for char in word]
            for char in parts[0] or ():
                self._first.setdefault(char, []).append(len(self._parts))
            self._parts.append(parts)
            self._bounds.append((words[0][0].isalnum(), words[-1][-1].isalnum()))
        self.special = frozenset(char for parts in self._parts for part in parts for char in part or ())
        self.size = max((1, *map(len, self._first.values())))
        # Every text contains the empty one.
        everything = any(not phrase.strip() for phrase in phrases)
        self.start: State = everything or (False, frozenset[tuple[int, int]](), True)

    def step(self, state: State, char: str) -> State:
        if state is True:
            return True
        assert isinstance(state, tuple)
        was_word, places, beginning = state
        following: set[tuple[int, int]] = set()
        word = is_word(char)
        for phrase, read in places:
            parts = self._parts[phrase]
            if read == len(parts):
                if self._side != "ends" and not (word and self._bounds[phrase][1]):
                    return True
                continue
            self._advance(phrase, read, char, following)
        if self._side != "starts" or beginning:
            for phrase in self._first.get(char, ()):
                if not (was_word and self._bounds[phrase][0]):
                    following.add((phrase, 1))
        if self._side != "ends" and any(
            read == len(self._parts[phrase]) and not self._bounds[phrase][1] for phrase, read in following
        ):
            return True
        return word, frozenset(following), False

    def _advance(self, phrase: int, read: int, char: str, following: set[tuple[int, int]]) -> None:
        parts = self._parts[phrase]
        part = parts[read]
        if part is None:
            if char.isspace():
                following.add((phrase, read + 1))
        elif char in part:
            following.add((phrase, read + 1))
        if read and parts[read - 1] is None and char.isspace():
            following.add((phrase, read))

    def accepts(self, state: State) -> bool:
        if state is True:
            return True
        assert isinstance(state, tuple)
        return any(read == len(self._parts[phrase]) for phrase, read in state[1])
