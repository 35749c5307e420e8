"""The engine `sampler`, which needs no model: it draws from the program itself, by the weights of its rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import ClassVar, Literal

from hcmlang.engines.base import Call, Completion, EngineContext
from hcmlang.lang import Dialect
from hcmlang.spec.kinds import EngineKind


class SamplerEngine(EngineKind):
    """Draws from the program itself, by the weights of its rules: no model, no download, no cost."""

    has_model = False

    kind: Literal["sampler"] = "sampler"
    """The engine without a model."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return ("sampler",)

    def make(self, context: EngineContext | None = None) -> Sampler:
        return Sampler()


class Sampler:
    """Draws the text of each call from the call's own random stream."""

    dialect: ClassVar[Dialect] = "sampler"

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls in order."""
        return (Completion(call.key, call.program.draw(Random(call.seed))) for call in calls)
