"""Constrained decoding of many texts at once: one forward pass a step for all rows, one grammar for each.

A step feeds every row its new tokens, computes the rows' token masks in threads while the model runs, and samples one
token for each row from its own random stream. Tokens that a grammar forces are appended without sampling and fed together
in the next step. A row that ends makes room for a waiting one; what prompts share is computed once.

Rows of different lengths stand in one cache. What is new is aligned to the right, so that the last column holds the last
token of each row; columns that are empty for a row are masked.
"""

from __future__ import annotations

import inspect
import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer
from transformers import DynamicCache

from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: Prompts whose cache is kept for later rows.
_KEPT_PREFIXES = 8


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen among the allowed ones. `top_k` 0 and `top_p` 1 choose among all; `min_p` leaves out tokens
    less likely than this share of the likeliest (Nguyen et al. 2024); `repetition_penalty` divides the logits of tokens
    that occurred (Keskar et al. 2019). A temperature of 0 takes the likeliest."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 256


@dataclass(frozen=True)
class Request:
    """A text wanted: the prompt's token ids, a grammar in llguidance's syntax, and the seed of its random stream."""

    key: str
    prompt: tuple[int, ...]
    grammar: str
    sampling: Sampling
    seed: int


@dataclass(frozen=True)
class Output:
    """`stop`: the grammar is complete. `length`: cut at `max_tokens` or at the end of the model's context. `refused`:
    llguidance cannot use the grammar, for the reason in `error`."""

    key: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Of each token among those that were allowed; 0 for a token that was forced."""
    finish: Literal["stop", "length", "refused"]
    error: str = ""


@dataclass
class Statistics:
    """Seconds and counts of a decoder's life."""

    forward: float = 0.0
    masks: float = 0.0
    """Waiting for masks after the forward pass, and applying them."""
    sampling: float = 0.0
    bookkeeping: float = 0.0
    steps: int = 0
    sampled: int = 0
    forced: int = 0
    prefilled: int = 0
    """Prompt tokens that were computed."""
    restarts: int = 0
    """Rows that were begun anew because memory ran out."""


@dataclass(eq=False)
class _Row:
    request: Request
    matcher: LLMatcher
    random: Random
    pending: list[int]
    """Tokens that the model has not seen."""
    length: int
    """Tokens that it has."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


class Decoder:
    """Decodes requests with a causal language model of transformers.

    `batch_size` rows stand side by side at most; it is halved when memory runs out. `share_prefixes` and `replace_rows`
    are there to be switched off for measurements.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: LLTokenizer,
        batch_size: int,
        *,
        context: int | None = None,
        share_prefixes: bool = True,
        replace_rows: bool = True,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self.batch_size = batch_size
        # transformers renamed the argument within its version 5.
        known = inspect.signature(model.forward).parameters
        self._cache = "cache" if "cache" in known else "past_key_values"
        self._context = context or getattr(model.config, "max_position_embeddings", None) or 1 << 30
        self._share = share_prefixes
        self._replace = replace_rows
        self._vocabulary = tokenizer.vocab_size
        self._device = next(model.parameters()).device
        self._executor = LLExecutor(num_threads=min(16, torch.get_num_threads()))
        self._prefixes: OrderedDict[tuple[int, ...], DynamicCache] = OrderedDict()
        self.statistics = Statistics()

    def decode(self, requests: Iterable[Request]) -> Iterator[Output]:
        """The outputs, each as soon as its row ends."""
        waiting = deque(sorted(requests, key=lambda request: -request.sampling.max_tokens))
        with torch.inference_mode(), ThreadPoolExecutor(1) as thread:
            batch = _Batch(self._device)
            while waiting or batch.rows:
                joining: list[_Row] = []
                if len(batch.rows) < self.batch_size and (self._replace or not batch.rows):
                    joining, refused = self._begin(waiting, self.batch_size - len(batch.rows))
                    yield from refused
                try:
                    self._join(batch, joining)
                    ended = self._step(batch, thread) if batch.rows else []
                except torch.OutOfMemoryError as error:
                    self._restart([*batch.rows, *(row for row in joining if row not in batch.rows)], waiting, error)
                    batch = _Batch(self._device)
                else:
                    yield from ended

    # ------------------------------------------------------------------------------------------------------- admission

    def _begin(self, waiting: deque[Request], room: int) -> tuple[list[_Row], list[Output]]:
        """Rows for so many waiting requests; those that cannot begin are answered."""
        started = time.perf_counter()
        rows: list[_Row] = []
        refused: list[Output] = []
        while waiting and len(rows) < room:
            request = waiting.popleft()
            matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_lark(request.grammar), log_level=0)
            if matcher.is_error():
                refused.append(Output(request.key, (), (), "refused", matcher.get_error()))
            elif len(request.prompt) >= self._context:
                refused.append(Output(request.key, (), (), "length"))
            else:
                row = _Row(request, matcher, Random(request.seed), [], len(request.prompt) - 1)
                row.pending = [request.prompt[-1], *self._forced(row)]
                rows.append(row)
        self.statistics.bookkeeping += time.perf_counter() - started
        return rows, refused

    def _join(self, batch: _Batch, rows: list[_Row]) -> None:
        """Put rows into the batch, those with one prompt together."""
        by_prompt: dict[tuple[int, ...], list[_Row]] = {}
        for row in rows:
            by_prompt.setdefault(row.request.prompt, []).append(row)
        for prompt, same in by_prompt.items():
            for group in [same] if self._share else [[row] for row in same]:
                batch.add(group, self._prefix(prompt[:-1]))

    def _forced(self, row: _Row) -> list[int]:
        """Tokens that the grammar leaves no choice about; they are taken."""
        forced = [] if row.matcher.is_stopped() else row.matcher.compute_ff_tokens()
        room = min(row.request.sampling.max_tokens - len(row.tokens), self._context - row.length - 1)
        forced = forced[: max(0, room)]
        if forced:
            row.matcher.consume_tokens(forced)
            row.tokens += forced
            row.logprobs += [0.0] * len(forced)
            self.statistics.forced += len(forced)
        return forced

    def _prefix(self, tokens: tuple[int, ...]) -> DynamicCache | None:
        """The model's cache of a prompt but for its last token."""
        if not tokens:
            return None
        if tokens in self._prefixes and self._share:
            self._prefixes.move_to_end(tokens)
            return self._prefixes[tokens]
        started = time.perf_counter()
        cache = DynamicCache()
        ids = torch.tensor([tokens], device=self._device)
        self._model(input_ids=ids, use_cache=True, logits_to_keep=1, **{self._cache: cache})
        self._prefixes[tokens] = cache
        while len(self._prefixes) > _KEPT_PREFIXES:
            self._prefixes.popitem(last=False)
        self.statistics.prefilled += len(tokens)
        self.statistics.forward += time.perf_counter() - started
        return cache

    # ------------------------------------------------------------------------------------------------------------ steps

    def _step(self, batch: _Batch, thread: ThreadPoolExecutor) -> list[Output]:
        """Feed what is pending, sample a token for each row; the outputs of rows that have ended."""
        clock = time.perf_counter
        started = clock()
        bits = np.zeros((len(batch.rows), (self._vocabulary + 31) // 32), dtype=np.int32)
        todo = [(row.matcher, number) for number, row in enumerate(batch.rows)]
        masks = thread.submit(
            self._executor.unsafe_compute_mask_ptr, todo, bits.ctypes.data, bits.shape[1] * 4, bits.shape[0]
        )
        ids, attention, positions = batch.feed()
        self.statistics.bookkeeping += clock() - started
        started = clock()
        try:
            logits = self._model(
                input_ids=ids,
                attention_mask=attention,
                position_ids=positions,
                use_cache=True,
                logits_to_keep=1,
                **{self._cache: batch.cache},
            ).logits[:, -1, : self._vocabulary]
        finally:
            forward_done = clock()
            masks.result()
        self.statistics.forward += forward_done - started
        logits = _masked(logits.float(), bits, self._vocabulary)
        self.statistics.masks += clock() - forward_done
        started = clock()
        tokens, logprobs = _sample(logits, batch.rows)
        self.statistics.sampling += clock() - started
        started = clock()
        ended = self._take(batch, tokens, logprobs)
        self.statistics.steps += 1
        self.statistics.bookkeeping += clock() - started
        return ended

    def _take(self, batch: _Batch, tokens: Sequence[int], logprobs: Sequence[float]) -> list[Output]:
        ended: list[Output] = []
        kept: list[int] = []
        for number, (row, token, logprob) in enumerate(zip(batch.rows, tokens, logprobs, strict=True)):
            output = self._advance(row, token, logprob)
            if output is None:
                kept.append(number)
            else:
                ended.append(output)
        batch.keep(kept)
        return ended

    def _advance(self, row: _Row, token: int, logprob: float) -> Output | None:
        """Take a sampled token and what it forces; the output, if the row has ended."""
        row.length += len(row.pending)
        row.pending = []
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
        if full or row.length + len(row.pending) >= self._context:
            return self._output(row, "stop" if row.matcher.is_accepting() and not full else "length")
        return None

    def _output(self, row: _Row, finish: Literal["stop", "length"]) -> Output:
        eos = self._tokenizer.eos_token
        ends = bool(row.tokens) and row.tokens[-1] == eos
        count = len(row.tokens) - ends
        return Output(row.request.key, tuple(row.tokens[:count]), tuple(row.logprobs[:count]), finish)

    def _restart(self, rows: Sequence[_Row], waiting: deque[Request], error: Exception) -> None:
        """After memory ran out: half as many rows, begun anew. Their streams are seeded, so their texts are the same."""
        if self.batch_size <= 1:
            message = "the model's memory does not suffice for a single text"
            hint = "lower `engine.max_tokens`, take a smaller model or another `device`"
            raise DiagnosticError(Diagnostic("out-of-memory", message, hint=hint)) from error
        waiting.extendleft(reversed([row.request for row in rows]))
        self.statistics.restarts += len(rows)
        self.batch_size = max(1, self.batch_size // 2)
        self._prefixes.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


class _Batch:
    """The rows that stand side by side, their cache, and which of its columns each row uses."""

    def __init__(self, device: torch.device) -> None:
        self.rows: list[_Row] = []
        self.cache: Any = None
        self._device = device
        self._used = np.zeros((0, 0), dtype=bool)

    def add(self, rows: list[_Row], prefix: DynamicCache | None) -> None:
        """Put rows with the same prompt, whose cache is `prefix`, beside those that are there."""
        size = prefix.get_seq_length() if prefix is not None else 0
        width = max(size, self._used.shape[1])
        used = np.zeros((len(rows), width), dtype=bool)
        used[:, width - size :] = True
        before = np.zeros((len(self.rows), width), dtype=bool)
        before[:, width - self._used.shape[1] :] = self._used
        if width:
            self.cache = _beside(self.cache, prefix, len(self.rows), len(rows), width)
        self._used = np.concatenate([before, used])
        self.rows += rows

    def feed(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, attention mask and positions of what is pending; the columns count as used from here on."""
        count = max(len(row.pending) for row in self.rows)
        ids = np.zeros((len(self.rows), count), dtype=np.int64)
        new = np.zeros((len(self.rows), count), dtype=bool)
        positions = np.zeros((len(self.rows), count), dtype=np.int64)
        for number, row in enumerate(self.rows):
            size = len(row.pending)
            ids[number, count - size :] = row.pending
            new[number, count - size :] = True
            positions[number, count - size :] = np.arange(row.length, row.length + size)
        self._used = np.concatenate([self._used, new], axis=1)
        if self.cache is None:
            self.cache = DynamicCache()
        attention = torch.from_numpy(self._used.astype(np.int64)).to(self._device)
        return torch.from_numpy(ids).to(self._device), attention, torch.from_numpy(positions).to(self._device)

    def keep(self, kept: list[int]) -> None:
        """Drop the other rows, and columns on the left that nobody uses any more."""
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[number] for number in kept]
        self._used = self._used[kept]
        if not kept:
            self.cache, self._used = None, np.zeros((0, 0), dtype=bool)
            return
        index = torch.tensor(kept, device=self._device)
        columns = self._used.any(axis=0)
        left = int(columns.argmax()) if columns.any() else 0
        for layer in self.cache.layers:
            layer.keys = layer.keys[index, :, left:]
            layer.values = layer.values[index, :, left:]
        self._used = self._used[:, left:]


def _beside(cache: Any, prefix: Any, old: int, new: int, width: int) -> DynamicCache:
    """One cache of `width` columns with `old` rows of the one and `new` copies of the other."""
    like = prefix if prefix is not None else cache
    joined = DynamicCache()
    for number, layer in enumerate(like.layers):
        parts = []
        for name in ("keys", "values"):
            shape = getattr(layer, name)
            rows = []
            if old:
                rows.append(_padded(getattr(cache.layers[number], name) if cache else None, shape, old, width))
            source = getattr(prefix.layers[number], name).expand(new, -1, -1, -1) if prefix is not None else None
            rows.append(_padded(source, shape, new, width))
            parts.append(torch.cat(rows) if len(rows) > 1 else rows[0])
        joined.update(parts[0], parts[1], number)
    return joined


def _padded(source: torch.Tensor | None, like: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """The source with empty columns on its left."""
    heads, size = like.shape[1], like.shape[3]
    if source is not None and source.shape[2] == width:
        return source.contiguous()
    made = like.new_zeros((rows, heads, width, size))
    if source is not None:
        made[:, :, width - source.shape[2] :] = source
    return made


# ------------------------------------------------------------------------------------------------------------- sampling


def _masked(logits: torch.Tensor, bits: np.ndarray, vocabulary: int) -> torch.Tensor:
    """Logits with minus infinity for tokens that a row's mask does not allow."""
    if logits.device.type == "cpu":
        refused = ~np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little", count=vocabulary).view(bool)
        return logits.masked_fill_(torch.from_numpy(refused), -math.inf)
    mask = torch.from_numpy(bits).to(logits.device, non_blocking=True)
    index = torch.arange(vocabulary, device=logits.device)
    allowed = (mask[:, index >> 5] >> (index & 31).to(torch.int32)) & 1
    return logits.masked_fill_(allowed == 0, -math.inf)


def _sample(logits: torch.Tensor, rows: Sequence[_Row]) -> tuple[list[int], list[float]]:
    """A token for each row by inversion of its distribution at a number from its own stream, and its log-probability
    among the allowed tokens."""
    for number, row in enumerate(rows):
        if row.request.sampling.repetition_penalty != 1.0:
            _penalize(logits[number], row)
    settings = [row.request.sampling for row in rows]
    temperatures = torch.tensor([s.temperature or 1.0 for s in settings], device=logits.device).unsqueeze(1)
    probabilities = torch.softmax(logits / temperatures, dim=-1)
    for number, setting in enumerate(settings):
        if setting.top_k or setting.top_p < 1 or setting.min_p:
            probabilities[number] = _narrowed(probabilities[number], setting)
    drawn = torch.tensor([row.random.random() for row in rows], dtype=torch.float64, device=logits.device)
    cumulated = probabilities.cumsum(dim=-1, dtype=torch.float64)
    picked = torch.searchsorted(cumulated, (drawn * cumulated[:, -1]).unsqueeze(1), right=True).squeeze(1)
    likeliest = probabilities.argmax(dim=-1)
    greedy = torch.tensor([s.temperature == 0 for s in settings], device=logits.device)
    last = probabilities.shape[1] - 1
    tokens = torch.where(greedy, likeliest, picked.clamp(max=last))
    # A number at the very edge may fall on a token that is not allowed.
    chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    tokens = torch.where(chosen > 0, tokens, likeliest)
    logprobs = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1).log()
    return tokens.tolist(), logprobs.tolist()


def _penalize(logits: torch.Tensor, row: _Row) -> None:
    seen = torch.tensor(sorted({*row.request.prompt, *row.tokens}), device=logits.device)
    penalty = row.request.sampling.repetition_penalty
    values = logits[seen]
    logits[seen] = torch.where(values > 0, values / penalty, values * penalty)


def _narrowed(probabilities: torch.Tensor, setting: Sampling) -> torch.Tensor:
    """The distribution without what `top_k`, `top_p` and `min_p` leave out."""
    ordered, order = probabilities.sort(descending=True)
    keep = torch.ones_like(ordered, dtype=torch.bool)
    if setting.top_k:
        keep[setting.top_k :] = False
    if setting.top_p < 1:
        keep &= ordered.cumsum(0) - ordered < setting.top_p
    if setting.min_p:
        keep &= ordered >= setting.min_p * ordered[0]
    keep[0] = True
    left = torch.zeros_like(probabilities)
    left[order[keep]] = ordered[keep]
    normalized: torch.Tensor = left / left.sum()
    return normalized
