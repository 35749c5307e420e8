"""Constrained decoding of many texts at once: each step is one forward pass for all rows, and each row has its own grammar.

A step feeds every row its new tokens, computes the token masks in threads while the model runs, and samples one token for
each row from the row's own random stream. Tokens that a grammar forces are appended without sampling and fed together with
the token before them. When a row ends, a waiting one takes its place.

The rows are in a :class:`Batch`, which knows the model: :mod:`hcmlang.engines.local.torch_batch` for transformers,
:mod:`hcmlang.engines.local.llama_batch` for llama.cpp.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.local.sampling import Sampling, masked, penalize, sample

#: The most threads for masks and grammars.
_THREADS = 16


@dataclass(frozen=True)
class Request:
    """A request for one text: the token ids of the prompt, a grammar in llguidance's syntax, and the seed of its random
    stream."""

    key: str
    prompt: tuple[int, ...]
    grammar: str
    sampling: Sampling
    seed: int
    expected: float = 0
    """The expected length, in the same unit for all requests. The longest start first, so that no single row is left at the
    end."""


@dataclass(frozen=True)
class Output:
    """A finished text. `stop`: the grammar is complete. `length`: cut at `max_tokens` or the end of the model's context.
    `refused`: llguidance cannot use the grammar for the reason in `error`."""

    key: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """The log-probability of each token among the allowed ones; 0 for a forced token."""
    finish: Literal["stop", "length", "refused"]
    error: str = ""


@dataclass
class Statistics:
    """Total seconds and counts of a decoder."""

    prefill: float = 0.0
    """Reading prompts and adding rows to the batch."""
    forward: float = 0.0
    masks: float = 0.0
    """Waiting for masks after the forward pass and applying them."""
    sampling: float = 0.0
    bookkeeping: float = 0.0
    steps: int = 0
    sampled: int = 0
    forced: int = 0
    prefilled: int = 0
    """Prompt tokens that were computed."""
    restarts: int = 0
    """Rows that started again because memory ran out."""


@dataclass(eq=False)
class SequenceState:
    """A text in progress: one row of a batch."""

    request: Request
    matcher: LLMatcher
    random: Random
    pending: list[int]
    """Tokens that the model has not read yet."""
    length: int
    """Tokens that the model has read."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


class OutOfMemory(Exception):
    """The rows do not fit into the model's memory, or into its limit."""


class Batch(Protocol):
    """The rows in a model, and its cache of keys and values."""

    rows: list[SequenceState]
    context: int
    """The most tokens of a row, including its prompt."""
    device: torch.device
    memory: int
    """The most bytes that keys and values have used."""

    def join(self, rows: Sequence[SequenceState]) -> int:
        """Add rows and read their prompts except for the last token. Returns the number of prompt tokens computed. May raise
        :class:`OutOfMemory`; the caller then clears the batch."""

    def prepare(self) -> None:
        """Move tokens of each row from pending to the next forward pass; they count as read from here on."""

    def forward(self) -> torch.Tensor:
        """The logits after each row's last token, float32, shape (rows, tokens); meaningless for rows with pending tokens.
        May raise :class:`OutOfMemory`."""

    def drop(self, numbers: Collection[int]) -> None:
        """Remove rows; the last rows move to their places."""

    def clear(self) -> None:
        """Remove all rows."""


class Decoder:
    """Decodes requests in a batch of at most `batch_size` rows, which is halved when memory runs out. Benchmarks turn
    `replace_rows` off."""

    def __init__(
        self, batch: Batch, tokenizer: LLTokenizer, batch_size: int, *, threads: int = 1, replace_rows: bool = True
    ) -> None:
        self._batch = batch
        self._tokenizer = tokenizer
        self.batch_size = batch_size
        self._replace = replace_rows
        self._vocabulary = tokenizer.vocab_size
        self._threads = max(1, min(_THREADS, threads, os.cpu_count() or 1))
        self._executor = LLExecutor(num_threads=self._threads)
        self.statistics = Statistics()

    @property
    def rows(self) -> int:
        """Rows in progress."""
        return len(self._batch.rows)

    @property
    def memory(self) -> int:
        """The most bytes that keys and values have used."""
        return self._batch.memory

    def decode(self, requests: Iterable[Request]) -> Iterator[Output]:
        """The outputs, each as soon as its row ends. Only one such iterator at a time."""
        if self._batch.rows:
            raise RuntimeError("the decoder is busy with other requests")
        waiting = deque(sorted(requests, key=lambda request: -request.expected))
        try:
            with torch.inference_mode(), ThreadPoolExecutor(self._threads) as threads:
                yield from self._decode(waiting, threads)
        finally:
            self._batch.clear()

    def _decode(self, waiting: deque[Request], threads: ThreadPoolExecutor) -> Iterator[Output]:
        batch = self._batch
        while waiting or batch.rows:
            joining: list[SequenceState] = []
            if len(batch.rows) < self.batch_size and (self._replace or not batch.rows):
                joining, refused = self._begin(waiting, self.batch_size - len(batch.rows), threads)
                yield from refused
            try:
                self._join(joining)
                ended = self._step(threads) if batch.rows else []
            except OutOfMemory as error:
                self._restart([*batch.rows, *(row for row in joining if row not in batch.rows)], waiting, error)
            else:
                yield from ended

    # ------------------------------------------------------------------------------------------------------- admission

    def _begin(
        self, waiting: deque[Request], room: int, threads: ThreadPoolExecutor
    ) -> tuple[list[SequenceState], list[Output]]:
        """Rows for `room` waiting requests, and outputs for those that cannot start."""
        started = time.perf_counter()
        requests = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        rows: list[SequenceState] = []
        refused: list[Output] = []
        for request, matcher in zip(requests, threads.map(self._matcher, requests), strict=True):
            if matcher.is_error():
                refused.append(Output(request.key, (), (), "refused", matcher.get_error()))
            elif len(request.prompt) >= self._batch.context:
                refused.append(Output(request.key, (), (), "length"))
            else:
                row = SequenceState(request, matcher, Random(request.seed), [], len(request.prompt) - 1)
                row.pending = [request.prompt[-1], *self._forced(row)]
                rows.append(row)
        self.statistics.bookkeeping += time.perf_counter() - started
        return rows, refused

    def _matcher(self, request: Request) -> LLMatcher:
        return LLMatcher(self._tokenizer, LLMatcher.grammar_from_lark(request.grammar), log_level=0)

    def _join(self, rows: list[SequenceState]) -> None:
        started = time.perf_counter()
        if rows:
            self.statistics.prefilled += self._batch.join(rows)
        self.statistics.prefill += time.perf_counter() - started

    def _forced(self, row: SequenceState) -> list[int]:
        """The tokens that the grammar forces; they are added to the row."""
        forced = [] if row.matcher.is_stopped() else row.matcher.compute_ff_tokens()
        room = min(row.request.sampling.max_tokens - len(row.tokens), self._batch.context - row.length - 1)
        forced = forced[: max(0, room)]
        if forced:
            row.matcher.consume_tokens(forced)
            row.tokens += forced
            row.logprobs += [0.0] * len(forced)
            self.statistics.forced += len(forced)
        return forced

    # ------------------------------------------------------------------------------------------------------------ steps

    def _step(self, threads: ThreadPoolExecutor) -> list[Output]:
        """Feed pending tokens and sample one for each row. Returns the outputs of rows that end."""
        clock, batch = time.perf_counter, self._batch
        started = clock()
        batch.prepare()
        bits = np.full((len(batch.rows), (self._vocabulary + 31) // 32), -1, dtype=np.int32)
        todo = [(row.matcher, number) for number, row in enumerate(batch.rows) if not row.pending]
        # When all rows have pending tokens there is nothing to mask, and llguidance refuses an empty list.
        fill, (rows, words) = self._executor.unsafe_compute_mask_ptr, bits.shape
        masks = threads.submit(fill, todo, bits.ctypes.data, words * 4, rows) if todo else None
        self.statistics.bookkeeping += clock() - started
        started = clock()
        try:
            logits = batch.forward()[:, : self._vocabulary]
        finally:
            forward_done = clock()
            if masks is not None:
                masks.result()
        self.statistics.forward += forward_done - started
        logits = masked(logits, bits)
        self.statistics.masks += clock() - forward_done
        started = clock()
        tokens, logprobs = self._sample(logits)
        self.statistics.sampling += clock() - started
        started = clock()
        ended = self._take(tokens, logprobs)
        self.statistics.steps += 1
        self.statistics.bookkeeping += clock() - started
        return ended

    def _sample(self, logits: torch.Tensor) -> tuple[list[int], list[float]]:
        rows = self._batch.rows
        for number, row in enumerate(rows):
            if (penalty := row.request.sampling.repetition_penalty) != 1.0:
                penalize(logits[number], (*row.request.prompt, *row.tokens), penalty)
        # A row with pending tokens draws nothing, so that its stream does not depend on how tokens are fed.
        numbers = [0.0 if row.pending else row.random.random() for row in rows]
        return sample(logits, [row.request.sampling for row in rows], numbers)

    def _take(self, tokens: Sequence[int], logprobs: Sequence[float]) -> list[Output]:
        """Add the tokens to rows without pending ones. Returns the outputs of rows that end."""
        ended: dict[int, Output] = {}
        for number, (row, token, logprob) in enumerate(zip(self._batch.rows, tokens, logprobs, strict=True)):
            output = None if row.pending else self._advance(row, token, logprob)
            if output is not None:
                ended[number] = output
        if ended:
            self._batch.drop(ended)
        return list(ended.values())

    def _advance(self, row: SequenceState, token: int, logprob: float) -> Output | None:
        """Add a sampled token and the tokens that it forces. Returns the output if the row ends."""
        if row.matcher.is_error():
            return Output(row.request.key, tuple(row.tokens), tuple(row.logprobs), "refused", row.matcher.get_error())
        if token != self._tokenizer.eos_token:
            row.tokens.append(token)
            row.logprobs.append(logprob)
            self.statistics.sampled += 1
            row.matcher.consume_token(token)
            row.pending = [token, *self._forced(row)]
        if row.matcher.is_error():
            return Output(row.request.key, tuple(row.tokens), tuple(row.logprobs), "refused", row.matcher.get_error())
        if token == self._tokenizer.eos_token or row.matcher.is_stopped():
            return self._output(row, "stop")
        full = len(row.tokens) >= row.request.sampling.max_tokens
        if full or row.length + len(row.pending) >= self._batch.context:
            return self._output(row, "stop" if row.matcher.is_accepting() and not full else "length")
        return None

    def _output(self, row: SequenceState, finish: Literal["stop", "length"]) -> Output:
        eos = self._tokenizer.eos_token
        ends = bool(row.tokens) and row.tokens[-1] == eos
        count = len(row.tokens) - ends
        return Output(row.request.key, tuple(row.tokens[:count]), tuple(row.logprobs[:count]), finish)

    def _restart(self, rows: Sequence[SequenceState], waiting: deque[Request], error: Exception) -> None:
        """Start again with half as many rows after memory ran out. Streams are seeded, so the texts stay the same."""
        if self.batch_size <= 1:
            message = f"a single text does not fit into the model's memory: {error}"
            hint = "raise `engine.memory_gb`, lower `engine.max_tokens`, or use a smaller model or another `device`"
            raise DiagnosticError(Diagnostic("out-of-memory", message, hint=hint)) from error
        waiting.extendleft(reversed([row.request for row in rows]))
        self.statistics.restarts += len(rows)
        self.batch_size = max(1, min(self.batch_size, len(rows)) // 2)
        self._batch.clear()
