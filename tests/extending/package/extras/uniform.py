"""The engine `uniform`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

from hcmlang.engines.base import Call, Completion, EngineContext
from hcmlang.spec.kinds import EngineKind


class UniformEngine(EngineKind):
    """Draws several texts from the program for each call, and takes the shortest."""

    has_model = False

    kind: Literal["uniform"]
    """The engine that prefers short texts."""
    draws: int = 3
    """Texts to choose from."""

    @property
    def dialects(self) -> tuple[str, ...]:
        return ("sampler",)

    def make(self, context: EngineContext | None = None) -> Uniform:
        return Uniform(self.draws)


class Uniform:
    """A ready engine."""

    dialect = "sampler"

    def __init__(self, draws: int) -> None:
        self.draws = draws

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        for call in calls:
            random = Random(call.seed)
            texts = [call.program.draw(random) for _ in range(self.draws)]
            yield Completion(call.key, min(texts, key=lambda fields: sum(map(len, fields.values()))))
