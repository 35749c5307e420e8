"""The engine that needs no model: it draws from the program itself, weights and all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import ClassVar

from hcmlang.engines.base import Call, Completion
from hcmlang.lang import Dialect


class Sampler:
    """Draws each call's text from a random stream of its own."""

    dialect: ClassVar[Dialect] = "sampler"

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls in order."""
        return (Completion(call.key, call.program.draw(Random(call.seed))) for call in calls)
