"""Predicates and their combinations as deterministic machines, which read a text character by character.

Rules and predicates can be searched together (:mod:`hcmlang.lang.patterns.automata`). Each machine agrees with
:mod:`hcmlang.lang.evaluate` on every text.
"""

from __future__ import annotations

from collections.abc import Sequence

from hcmlang.lang.predicates.base import Machine, State
from hcmlang.lang.predicates.formula import Combined, Constant, Formula, Not


def machine(formula: Formula, subject: str) -> Machine | None:
    """The machine of a formula with its values filled in; None if it depends on more than the field `subject`."""
    if isinstance(formula, Constant):
        return _Always(formula.value)
    if isinstance(formula, Not):
        inner = machine(formula.part, subject)
        return None if inner is None else _Negated(inner)
    if isinstance(formula, Combined):
        parts = [machine(part, subject) for part in formula.parts]
        known = [part for part in parts if part is not None]
        return Together(known, formula.every) if len(known) == len(parts) else None
    return formula.machine() if formula.subjects == (subject,) else None


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
        self.special, self.size, self.start = inner.special, inner.size, inner.start

    def step(self, state: State, char: str) -> State:
        return self._inner.step(state, char)

    def accepts(self, state: State) -> bool:
        return not self._inner.accepts(state)


class Together:
    """Runs several machines at once: all must accept (`every`), or at least one."""

    def __init__(self, parts: Sequence[Machine], every: bool) -> None:
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
