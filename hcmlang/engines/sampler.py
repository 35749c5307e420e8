"""The engine that needs no model: it draws from the program itself, weights and all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from hcmlang.engines.base import Call, Completion


class Sampler:
    """Draws each call's text from a random stream of its own, and again while a checked constraint fails."""

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls in order."""
        return map(_complete, calls)


def _complete(call: Call) -> Completion:
    random = Random(call.seed)
    reasons: Counter[str] = Counter()
    fields: dict[str, str] = {}
    for attempt in range(1, call.program.attempts + 1):
        fields = call.program.draw(random)
        violated = call.program.violated(fields)
        if violated is None:
            return Completion(call.key, fields, "stop", attempt, reasons)
        reasons[violated] += 1
    return Completion(call.key, fields, "rejected", call.program.attempts, reasons)
