"""A local model as an engine: calls become requests to the decoder, and its outputs become fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from llguidance import LLTokenizer

from hcmlang.diagnostics import Diagnostic
from hcmlang.engines.base import Call, Completion, Judgement, Message
from hcmlang.engines.local.base import LocalEngine
from hcmlang.engines.local.decoding import Decoder, Output, Request
from hcmlang.engines.local.sampling import Sampling
from hcmlang.hashing import derive_seed
from hcmlang.lang import Dialect

#: Characters of a token, approximately.
_CHARS = 4


class Tokens(Protocol):
    """A model's tokenizer with its chat template."""

    def prompt(self, messages: Sequence[Message], begun: str) -> list[int]:
        """Token ids of a conversation and of `begun`, the beginning of the answer; at least one."""


class GuidedModel:
    """Answers calls with a model in this process; see :class:`hcmlang.engines.base.Engine`."""

    dialect: ClassVar[Dialect] = "lark"

    def __init__(self, config: LocalEngine, tokens: Tokens, tokenizer: LLTokenizer, decoder: Decoder) -> None:
        self.decoder = decoder
        self._config = config
        self.tokens = tokens
        self._tokenizer = tokenizer

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, each as soon as its text ends. The fields of a record are written one after the other, and the
        model reads the fields before."""
        states = {call.key: _State(call) for call in calls}
        count = max((len(call.program.fields) for call in calls), default=0)
        for number in range(count):
            current = [state for state in states.values() if number < len(state.names) and state.error is None]
            requests = [self._request(state, number) for state in current]
            for output in self.decoder.decode(requests):
                state = states[output.key]
                self._take(state, number, output)
                if number == len(state.names) - 1 or state.error is not None:
                    yield state.completion()

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        """For each conversation, the likeliest of `labels` and its probability: the product of its tokens' probabilities
        under a grammar that allows only the labels."""
        quoted = " | ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
        grammar = f"start: LABEL\nLABEL: {quoted}\n"
        sampling = Sampling(temperature=0, max_tokens=max(64, *(4 * len(label) for label in labels)))
        requests = [
            Request(str(number), tuple(self.tokens.prompt(turns, "")), grammar, sampling, 0)
            for number, turns in enumerate(messages)
        ]
        judged: dict[int, Judgement] = {}
        for output in self.decoder.decode(requests):
            judged[int(output.key)] = Judgement(self._text(output.tokens), math.exp(sum(output.logprobs)))
        return [judged[number] for number in range(len(messages))]

    def status(self) -> str:
        """The state for people: rows in progress, and the memory of their keys and values."""
        return f"{self.decoder.rows} rows, {self.decoder.memory / 1e9:.2g} GB"

    def _request(self, state: _State, number: int) -> Request:
        call, field = state.call, state.names[number]
        begun = "".join(f"{name}: {state.fields[name]}\n" for name in state.names[:number])
        begun += f"{field}: " if len(state.names) > 1 else ""
        state.grammars[field] = call.program.lark_grammar(field, state.fields)
        config = self._config
        temperature = call.program.temperature if call.program.temperature is not None else config.temperature
        sampling = Sampling(
            temperature, config.top_p, config.top_k, config.min_p, config.repetition_penalty, config.max_tokens
        )
        prompt = tuple(self.tokens.prompt(call.messages, begun))
        length = call.program.length(field)
        expected = (length.low + min(length.high, _CHARS * config.max_tokens)) / 2
        seed = derive_seed(call.seed, field)
        return Request(call.key, prompt, state.grammars[field].text, sampling, seed, expected)

    def _take(self, state: _State, number: int, output: Output) -> None:
        field = state.names[number]
        if output.finish == "refused":
            state.error = state.call.program.refused(field, state.grammars[field], output.error)
            return
        state.fields[field] = self._text(output.tokens)
        state.logprobs[field] = sum(output.logprobs)
        state.tokens += len(output.tokens)
        state.cut = state.cut or output.finish == "length"

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode_bytes(list(tokens)).decode("utf-8", "replace"))


@dataclass
class _State:
    """A call in progress."""

    call: Call

    def __post_init__(self) -> None:
        self.names = self.call.program.fields
        self.fields: dict[str, str] = {}
        self.logprobs: dict[str, float] = {}
        self.grammars: dict[str, Any] = {}
        self.tokens = 0
        self.cut = False
        self.error: Diagnostic | None = None

    def completion(self) -> Completion:
        finish: Literal["stop", "length", "refused"] = "refused" if self.error else "length" if self.cut else "stop"
        return Completion(self.call.key, self.fields, finish, self.tokens, self.logprobs, self.error)
