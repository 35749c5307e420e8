"""An engine for trying programs: a walk over the token masks of the compiled grammar, every allowed byte as likely as
any other. It writes what a model that knows nothing would write, so it shows what a grammar lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, ClassVar

import numpy as np

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion
from hcmlang.lang import Dialect

#: Token ids to one of them: the allowed ones, and those written so far.
Pick = Callable[[np.ndarray, list[int]], int]


class Walk:
    """Walks each field of a call byte by byte."""

    dialect: ClassVar[Dialect] = "lark"

    def __init__(self) -> None:
        from llguidance import LLTokenizer

        self._tokenizer = LLTokenizer("byte")

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls in order."""
        return (self._complete(call) for call in calls)

    def _complete(self, call: Call) -> Completion:
        random = Random(call.seed)
        fields: dict[str, str] = {}
        for field in call.program.fields:
            fields[field] = walk(
                call.program, field, fields, self._tokenizer, lambda allowed, _: random.choice(allowed)
            )
        return Completion(call.key, fields)


def walk(program: Any, field: str, given: dict[str, str], tokenizer: Any, pick: Pick, most: int = 20_000) -> str:
    """The text of one field, each token picked among those that its grammar allows after the ones before.

    Raises :class:`DiagnosticError` where llguidance refuses the grammar, or the text does not end within `most` tokens.
    """
    import llguidance.numpy as masks
    from llguidance import LLMatcher

    grammar = program.lark_grammar(field, given)
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar.text))
    bitmask = masks.allocate_token_bitmask(1, tokenizer.vocab_size)
    tokens: list[int] = []
    while not matcher.is_stopped():
        masks.fill_next_token_bitmask(matcher, bitmask)
        if matcher.is_error():
            raise DiagnosticError(program.refused(field, grammar, matcher.get_error()))
        allowed = np.flatnonzero(np.unpackbits(bitmask[0].view(np.uint8), bitorder="little"))
        token = int(pick(allowed, tokens))
        if token == tokenizer.eos_token:
            break
        if len(tokens) >= most:
            message = f"`{field}` has no end after {most:,} tokens"
            raise DiagnosticError(Diagnostic("endless-text", message, hint="give its free text fewer words"))
        matcher.consume_token(token)
        if matcher.is_error():
            raise DiagnosticError(program.refused(field, grammar, matcher.get_error()))
        tokens.append(token)
    return str(tokenizer.decode_bytes(tokens).decode("utf-8", "replace"))
