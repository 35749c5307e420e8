"""An engine for trying programs: a random walk over the token masks of the compiled grammar, with equal probabilities for all
allowed bytes. It shows what a grammar allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion
from hcmlang.lang import CompiledProgram, Dialect
from hcmlang.lang.emit import trial


class Walk:
    """Walks each field of a call byte by byte."""

    dialect: ClassVar[Dialect] = "lark"

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls in order."""
        return (self._complete(call) for call in calls)

    def _complete(self, call: Call) -> Completion:
        random = Random(call.seed)
        fields: dict[str, str] = {}
        for field in call.program.fields:
            pick = lambda allowed, _: int(random.choice(allowed))  # noqa: E731
            try:
                fields[field] = walk(call.program, field, fields, trial.bytes_tokenizer(), pick)
            except DiagnosticError as error:
                return Completion(call.key, fields, "refused", error=error.diagnostics[0])
        return Completion(call.key, fields)


def walk(program: CompiledProgram, field: str, given: Mapping[str, str], tokenizer: Any, pick: trial.Pick) -> str:
    """The text of one field; `pick` chooses each token among those that the grammar allows.

    Raises :class:`DiagnosticError` where llguidance refuses the grammar, or the text does not end.
    """
    grammar = program.lark_grammar(field, given)
    walked = trial.walk(grammar.text, tokenizer, pick)
    if walked.error:
        raise DiagnosticError(program.refused(field, grammar, walked.error))
    if walked.error is not None:
        message = f"`{field}` has no end after {len(walked.tokens):,} tokens"
        raise DiagnosticError(Diagnostic("endless-text", message, hint="give its free text fewer words"))
    return str(tokenizer.decode_bytes(walked.tokens).decode("utf-8", "replace"))
