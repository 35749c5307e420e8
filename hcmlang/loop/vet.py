"""The last look at what a language model is told: a prompt that holds a row kept for evaluation is not sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hcmlang.data.leakage import HeldOut
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Engine, Message
from hcmlang.lang import Dialect


def vet(conversations: Iterable[Sequence[Message]], held_out: HeldOut) -> None:
    """Raises :class:`DiagnosticError` where a conversation holds a held-out row."""
    for messages in conversations:
        leak = held_out.told(message.content for message in messages)
        if leak is not None:
            # The row is named, and its text kept out of what somebody may paste into a prompt.
            message = f"a prompt for the teacher holds a row that is kept for evaluation: {leak}"
            hint = (
                "look for it in the prompt files and the spec; rows of the pool that repeat such rows are never shown"
            )
            raise DiagnosticError(Diagnostic("leaked-prompt", message, hint=hint))


class Vetted:
    """An engine that is told nothing of held-out rows; see :class:`hcmlang.engines.base.Engine`."""

    def __init__(self, engine: Engine, held_out: HeldOut) -> None:
        self._engine = engine
        self._held_out = held_out

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        vet((call.messages for call in calls), self._held_out)
        return self._engine.complete(calls)
