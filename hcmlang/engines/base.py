"""The protocol of engines: how guided text comes about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from hcmlang.lang import CompiledProgram, Dialect


@dataclass(frozen=True)
class Call:
    """One text wanted: a program compiled for an instance, and the seed of its own random stream."""

    key: str
    """Content key of the call; two calls with one key have the same answer."""
    program: CompiledProgram
    seed: int


@dataclass(frozen=True)
class Completion:
    """The answer to a call. What the engine's dialect does not keep is not tested yet (:mod:`hcmlang.loop.write`)."""

    key: str
    fields: Mapping[str, str]
    """The text of each field of the program; one field, named after the first rule, where it has no record."""


class Engine(Protocol):
    dialect: ClassVar[Dialect]
    """What programs are compiled to for it."""

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, in any order. A call's answer does not depend on the calls beside it."""
