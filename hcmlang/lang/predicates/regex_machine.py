"""The machine of `matches /re/`. It supports characters, classes, groups, alternatives, repetition and anchors."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Hashable
from typing import Any

import regex as library

from hcmlang.lang.characters import CLASSES, spellings

#: The most states of the regex's automaton.
_MOST = 400

Accepts = Callable[[str], bool]
_parser = importlib.import_module("re._parser")


class Unsupported(ValueError):
    """The regex uses a feature that machines and masks do not support."""


def parsed(regex: str) -> Any:
    """The regex as parsed by Python. Raises :class:`Unsupported` for inline flags that change its meaning."""
    found = _parser.parse(regex)
    if found.state.flags & ~(re.UNICODE | re.VERBOSE):
        raise Unsupported("its regex holds flags")
    return found


class RegexMachine:
    """Accepts texts in which the regex matches somewhere.

    A state is the set of possible positions in the regex, and whether the text begins here; or `True` after a match. Raises
    :class:`Unsupported`.
    """

    def __init__(self, regex: str, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._edges: list[list[tuple[Accepts, int]]] = [[]]
        self._jumps: list[list[tuple[int, str]]] = [[]]
        special: set[str] = set()
        self._special = special
        self._final = self._build(parsed(regex), 0)
        self.special = frozenset(special)
        self.size = 1 + len(self._edges) // 4
        self.start: Hashable = (self._closure({0}, beginning=True), True)
        if self._matched(self.start):
            self.start = True

    def step(self, state: Hashable, char: str) -> Hashable:
        if state is True:
            return True
        assert isinstance(state, tuple)
        places = {target for place in state[0] for accepts, target in self._edges[place] if accepts(char)}
        following: Hashable = (self._closure(places | {0}, beginning=False), False)
        return True if self._matched(following) else following

    def accepts(self, state: Hashable) -> bool:
        if state is True:
            return True
        assert isinstance(state, tuple)
        return self._final in self._closure(set(state[0]), beginning=state[1], end=True)

    def _matched(self, state: Hashable) -> bool:
        assert isinstance(state, tuple)
        return self._final in state[0]

    def _closure(self, places: set[int], beginning: bool, end: bool = False) -> frozenset[int]:
        seen, waiting = set(places), list(places)
        while waiting:
            for target, needs in self._jumps[waiting.pop()]:
                holds = not needs or (needs == "start" and beginning) or (needs == "end" and end)
                if holds and target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)

    def _state(self) -> int:
        if len(self._edges) >= _MOST:
            raise Unsupported
        self._edges.append([])
        self._jumps.append([])
        return len(self._edges) - 1

    def _build(self, operations: Any, at: int) -> int:
        for operation, argument in operations:
            at = self._part(str(operation), argument, at)
        return at

    def _part(self, operation: str, argument: Any, at: int) -> int:
        if operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            end = self._state()
            self._edges[at].append((self._accepts(operation, argument), end))
            return end
        if operation == "BRANCH":
            end = self._state()
            for branch in argument[1]:
                begin = self._state()
                self._jumps[at].append((begin, ""))
                self._jumps[self._build(branch, begin)].append((end, ""))
            return end
        if operation == "SUBPATTERN":
            _, on, off, inner = argument
            if on or off:
                raise Unsupported
            return self._build(inner, at)
        if operation in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(argument, at)
        if operation == "AT" and str(argument) in ("AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END_STRING"):
            end = self._state()
            self._jumps[at].append((end, "start" if "BEGINNING" in str(argument) else "end"))
            return end
        raise Unsupported

    def _repeat(self, argument: Any, at: int) -> int:
        low, high, inner = argument
        if max(low, 0 if high == _parser.MAXREPEAT else high) > _MOST:
            raise Unsupported  # even if the repeated part is empty and adds no state
        for _ in range(low):
            at = self._build(inner, at)
        end = self._state()
        if high == _parser.MAXREPEAT:
            loop = self._state()
            self._jumps[at].append((loop, ""))
            self._jumps[self._build(inner, loop)].append((loop, ""))
            self._jumps[loop].append((end, ""))
            return end
        self._jumps[at].append((end, ""))
        for _ in range(high - low):
            at = self._build(inner, at)
            self._jumps[at].append((end, ""))
        return end

    def _accepts(self, operation: str, argument: Any) -> Accepts:
        if operation == "ANY":
            self._special.add("\n")
            return lambda char: char != "\n"
        members = argument if operation == "IN" else [("LITERAL", argument)]
        negated = operation == "NOT_LITERAL" or any(str(what) == "NEGATE" for what, _ in members)
        chars, kinds = self._members(members)
        if negated:
            return lambda char: char not in chars and not any(one(char) for one in kinds)
        return lambda char: char in chars or any(one(char) for one in kinds)

    def _members(self, members: Any) -> tuple[frozenset[str], list[Accepts]]:
        chars: set[str] = set()
        kinds: list[Accepts] = []
        for what, argument in members:
            if str(what) == "LITERAL":
                chars.add(chr(argument))
            elif str(what) == "RANGE":
                if argument[1] - argument[0] > 300:
                    raise Unsupported
                chars |= {chr(code) for code in range(argument[0], argument[1] + 1)}
            elif str(what) == "CATEGORY":
                kinds.append(_category(str(argument)))
        if self._ignore_case:
            chars = {other for char in chars for other in spellings(char, library)}
        self._special |= chars
        return frozenset(chars), kinds


def _category(name: str) -> Accepts:
    known = CLASSES[name.rpartition("_")[2]]
    negated = "_NOT_" in name
    return lambda char: (known(char) is None) == negated
