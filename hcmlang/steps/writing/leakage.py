"""The leakage check: a prompt that holds an evaluation row is not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from hcmlang.data.leakage import EvaluationRows
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Engine, Message
from hcmlang.lang import Dialect

#: Loads the evaluation rows that can resemble some texts.
LoadRows: TypeAlias = Callable[[Iterable[Sequence[str]]], EvaluationRows]


def check_leakage(conversations: Iterable[Sequence[Message]], load_rows: LoadRows) -> None:
    """Raises :class:`DiagnosticError` if a conversation holds an evaluation row. The rows are read once for all
    conversations."""
    conversations = list(conversations)
    if not any(conversations):
        return
    lines = {line for messages in conversations for message in messages for line in message.content.splitlines()}
    rows = load_rows((line,) for line in lines)
    for messages in conversations:
        leak = rows.found_in(message.content for message in messages)
        if leak is not None:
            # Only the row's number is shown: somebody may paste the message into a prompt.
            message = f"a prompt for the teacher holds a row that is kept for evaluation: {leak}"
            hint = "look for it in the prompt files and the spec; hcmlang never shows rows of the pool that repeat such rows"
            raise DiagnosticError(Diagnostic("leaked-prompt", message, hint=hint))


class CheckedEngine:
    """An engine whose prompts pass the leakage check; see :class:`hcmlang.engines.base.Engine`."""

    def __init__(self, engine: Engine, load_rows: LoadRows) -> None:
        self._engine = engine
        self._load_rows = load_rows

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        check_leakage((call.messages for call in calls), self._load_rows)
        return self._engine.complete(calls)
