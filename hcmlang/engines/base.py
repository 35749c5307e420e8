"""The protocol of engines: how guided text comes about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hcmlang.lang.program import CompiledProgram


@dataclass(frozen=True)
class Call:
    """One text wanted: a program bound to its values, and the seed of its own random stream."""

    key: str
    """Content key of the call; two calls with one key have the same answer."""
    program: CompiledProgram
    seed: int


@dataclass(frozen=True)
class Completion:
    """The answer to a call."""

    key: str
    fields: Mapping[str, str]
    """The text of each field of the program; one field, named after the first rule, where it has no record."""
    finish: Literal["stop", "rejected"]
    """`stop`: complete, every constraint holds. `rejected`: no draw within the call's attempts satisfied them."""
    attempts: int
    """Draws made, the accepted one included."""
    reasons: Mapping[str, int]
    """How often each constraint (its source text) rejected a draw."""


class Engine(Protocol):
    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, in any order. A call's answer does not depend on the calls beside it."""
