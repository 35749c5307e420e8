"""Walks through compiled grammars with llguidance, token by token, to write texts or test whether llguidance accepts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

#: Picks one of the allowed token ids (an array), given the previous ones.
Pick = Callable[[Any, list[int]], int]

#: Texts that are written with a grammar before it is used. They are written byte by byte; a model's tokens look further
#: ahead in each step, so the lexer gets a tenth of its default fuel.
TRIALS = 3
STEP_FUEL = 20_000
MAX_TOKENS = 20_000


@dataclass(frozen=True)
class Walked:
    """The tokens of a text, or why there is none: llguidance's error message, or "" if the text did not end."""

    tokens: list[int]
    error: str | None = None


def walk(grammar: str, tokenizer: Any, pick: Pick, step_fuel: int | None = None) -> Walked:
    """Write a text of the grammar with `pick`.

    `step_fuel` limits what llguidance's lexer may spend on a step; None leaves it at its default.
    """
    import llguidance.numpy as masks
    import numpy as np
    from llguidance import LLMatcher, LLParserLimits

    limits = LLParserLimits(step_lexer_fuel=step_fuel) if step_fuel else None
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0, limits=limits)
    if matcher.is_error():
        return Walked([], matcher.get_error())
    bitmask = masks.allocate_token_bitmask(1, tokenizer.vocab_size)
    tokens: list[int] = []
    while not matcher.is_stopped():
        masks.fill_next_token_bitmask(matcher, bitmask)
        if matcher.is_error():
            return Walked(tokens, matcher.get_error())
        allowed = np.flatnonzero(np.unpackbits(bitmask[0].view(np.uint8), bitorder="little"))
        token = int(pick(allowed, tokens))
        if token == tokenizer.eos_token:
            break
        if len(tokens) >= MAX_TOKENS:
            return Walked(tokens, "")
        matcher.consume_token(token)
        tokens.append(token)
    if matcher.is_error():
        return Walked(tokens, matcher.get_error())
    return Walked(tokens)


def accepts(grammar: str, text: str) -> bool:
    """Whether the grammar accepts the text; False if llguidance refuses the grammar."""
    from llguidance import LLMatcher

    matcher = LLMatcher(bytes_tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    data = list(text.encode("utf-8", "surrogatepass"))
    return bool(matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting())


def consumed(grammar: str, text: str) -> int:
    """The length of the longest prefix of the text that the grammar allows, in characters."""
    from llguidance import LLMatcher

    matcher = LLMatcher(bytes_tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    data = text.encode("utf-8", "surrogatepass")
    return len(data[: matcher.try_consume_tokens(list(data))].decode("utf-8", "ignore"))


@lru_cache(maxsize=1)
def bytes_tokenizer() -> Any:
    """A tokenizer whose tokens are bytes."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")


def refusal(grammar: str) -> str | None:
    """llguidance's error message when it writes texts with a grammar; None if it succeeds."""
    random = Random(0)
    for _ in range(TRIALS):
        walked = walk(grammar, bytes_tokenizer(), lambda allowed, _: int(random.choice(allowed)), STEP_FUEL)
        if walked.error:
            return walked.error
    return None
