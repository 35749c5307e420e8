"""The last look at what a language model is told: a prompt that holds a row kept for evaluation is not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from hcmlang.data.leakage import EvaluationRows
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Engine, Message
from hcmlang.lang import Dialect

#: The held-out rows that matter to rows which will be asked about.
KeptFor: TypeAlias = Callable[[Iterable[Sequence[str]]], EvaluationRows]


def vet(conversations: Iterable[Sequence[Message]], kept_for: KeptFor) -> None:
    """Raises :class:`DiagnosticError` where a conversation holds a held-out row. All held-out rows are gone through once."""
    conversations = list(conversations)
    if not any(conversations):
        return
    lines = {line for messages in conversations for message in messages for line in message.content.splitlines()}
    held_out = kept_for((line,) for line in lines)
    for messages in conversations:
        leak = held_out.found_in(message.content for message in messages)
        if leak is not None:
            # The row is named, and its text kept out of what somebody may paste into a prompt.
            message = f"a prompt for the teacher holds a row that is kept for evaluation: {leak}"
            hint = (
                "look for it in the prompt files and the spec; rows of the pool that repeat such rows are never shown"
            )
            raise DiagnosticError(Diagnostic("leaked-prompt", message, hint=hint))


class Vetted:
    """An engine that is told nothing of held-out rows; see :class:`hcmlang.engines.base.Engine`."""

    def __init__(self, engine: Engine, kept_for: KeptFor) -> None:
        self._engine = engine
        self._kept_for = kept_for

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        vet((call.messages for call in calls), self._kept_for)
        return self._engine.complete(calls)
