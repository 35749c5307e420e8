"""Constrained decoding of many texts at once: one forward pass a step for all rows, one grammar for each.

A step feeds every row its new tokens, computes the rows' token masks in threads while the model runs, and samples one
token for each row from its own random stream. Tokens that a grammar forces are appended without sampling and fed several
in a step where enough rows have some. A row that ends makes room for a waiting one; what prompts share is computed once.

Rows of different lengths stand in one cache, a block of memory that is written in place. What is new is aligned to the
right, so that the last column holds the last token of each row; columns that are empty for a row are masked.
"""

from __future__ import annotations

import inspect
import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from random import Random
from typing import Any, Literal

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: Prompts whose cache is kept for later rows.
_KEPT_PREFIXES = 8
#: Columns that a cache has beyond what is needed when it is made.
_SPARE_COLUMNS = 96
#: A step feeds a further token of each row where at least this part of the rows has one; the others are filled up.
_FILLED = 1 / 8
#: Probabilities are added up in blocks of so many tokens.
_BLOCK = 256


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
        ids, attention, positions = batch.feed()
        bits = np.full((len(batch.rows), (self._vocabulary + 31) // 32), -1, dtype=np.int32)
        todo = [(row.matcher, number) for number, row in enumerate(batch.rows) if not row.pending]
        masks = thread.submit(
            self._executor.unsafe_compute_mask_ptr, todo, bits.ctypes.data, bits.shape[1] * 4, bits.shape[0]
        )
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
        logits = _masked(logits.float(), bits)
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
        """Take the tokens of the rows that have nothing pending; the outputs of those that end."""
        ended: dict[int, Output] = {}
        for number, (row, token, logprob) in enumerate(zip(batch.rows, tokens, logprobs, strict=True)):
            output = None if row.pending else self._advance(row, token, logprob)
            if output is not None:
                ended[number] = output
        batch.drop(ended)
        return list(ended.values())

    def _advance(self, row: _Row, token: int, logprob: float) -> Output | None:
        """Take a sampled token and what it forces; the output, if the row has ended."""
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


@dataclass
class _Window:
    """The part of the cache's memory that is in use: the first `rows` rows, the columns from `left` to `end`, of which the
    current step writes the last `fed`."""

    rows: int = 0
    left: int = 0
    end: int = 0
    fed: int = 0


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A layer's keys and values, written in place into memory that is larger than what is used of it."""

    def __init__(self, window: _Window) -> None:
        super().__init__()
        self._window = window
        self.memory: list[torch.Tensor] = []
        """Of keys and values, each (rows, heads, columns, size)."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the states of the columns that this step feeds; the states of all columns in use."""
        del args, kwargs
        window = self._window
        if not self.memory:  # the prompts are of one token: no prefix has told the sizes
            self.reserve([key_states, value_states], window.rows, 0, 0, window.end + _SPARE_COLUMNS)
        for memory, states in zip(self.memory, (key_states, value_states), strict=True):
            memory[: window.rows, :, window.end - window.fed : window.end] = states
        self.keys, self.values = (part[: window.rows, :, window.left : window.end] for part in self.memory)
        self.is_initialized = True
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """The columns from before this step."""
        return self._window.end - self._window.left - self._window.fed

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many columns a mask is for, and the first of them."""
        return self.get_seq_length() + query_length, 0

    def reserve(self, like: Sequence[torch.Tensor], rows: int, old: int, start: int, columns: int) -> None:
        """Memory for so many rows and columns, where the first `old` rows of the window stand from column `start` on."""
        window, before = self._window, self.memory
        self.memory = []
        for number, states in enumerate(like):
            # Zeros: what is masked has no weight, but must be numbers.
            made = states.new_zeros((rows, states.shape[1], columns, states.shape[3]))
            if before and old:
                used = before[number][:old, :, window.left : window.end]
                made[:old, :, start : start + used.shape[2]] = used
            self.memory.append(made)


class _Batch:
    """The rows that stand side by side, their cache, and which of its columns each row uses."""

    def __init__(self, device: torch.device) -> None:
        self.rows: list[_Row] = []
        self._device = device
        self._window = _Window()
        self.cache = Cache(layer_class_to_replicate=partial(_Layer, self._window))
        self._used = np.zeros((0, 0), dtype=bool)
        """Of each row and column of the memory."""

    def add(self, rows: list[_Row], prefix: DynamicCache | None) -> None:
        """Put rows with the same prompt, whose cache is `prefix`, beside those that are there."""
        size = prefix.get_seq_length() if prefix is not None else 0
        old, new = len(self.rows), len(self.rows) + len(rows)
        layers = prefix.layers if prefix is not None else ()
        while len(self.cache.layers) < len(layers):
            self.cache.layers.append(_Layer(self._window))
        if new > self._used.shape[0] or size > self._window.end or (size and not self.cache.layers[0].memory):
            self._reserve([(layer.keys, layer.values) for layer in layers], new, size, 0)
        window = self._window
        columns = slice(window.end - size, window.end)
        for number, layer in enumerate(layers):
            for memory, states in zip(self.cache.layers[number].memory, (layer.keys, layer.values), strict=True):
                memory[old:new, :, columns] = states
        self._used[old:new] = False
        self._used[old:new, columns] = True
        window.left = min(window.left, columns.start) if old else columns.start
        self.rows += rows
        window.rows = new

    def feed(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, attention mask and positions of what the next step feeds: pending tokens of each row, at the right.

        They count as seen from here on.
        """
        sizes = [len(row.pending) for row in self.rows]
        # Where few rows have much pending, it is fed in several steps, so that not all rows are filled up to it.
        count = 1
        while sum(size > count for size in sizes) >= _FILLED * len(sizes):
            count += 1
        window = self._window
        if window.end + count > self._used.shape[1]:
            self._reserve([layer.memory for layer in self.cache.layers], len(self.rows), 0, count)
        ids = np.zeros((len(self.rows), count), dtype=np.int64)
        positions = np.zeros((len(self.rows), count), dtype=np.int64)
        window.end, window.fed = window.end + count, count
        for number, row in enumerate(self.rows):
            fed = row.pending[:count]
            first = count - len(fed)
            ids[number, first:] = fed
            positions[number, first:] = range(row.length, row.length + len(fed))
            self._used[number, window.end - len(fed) : window.end] = True
            row.pending = row.pending[count:]
            row.length += len(fed)
        attention = self._used[: window.rows, window.left : window.end].astype(np.int64)
        ready = (torch.from_numpy(made).to(self._device) for made in (ids, attention, positions))
        return next(ready), next(ready), next(ready)

    def drop(self, numbers: Iterable[int]) -> None:
        """Take rows out; the last rows move to their places. Columns on the left that nobody uses any more go too."""
        window = self._window
        for number in sorted(numbers, reverse=True):
            last = len(self.rows) - 1
            if number < last:
                self.rows[number] = self.rows[last]
                self._used[number] = self._used[last]
                for layer in self.cache.layers:
                    for memory in layer.memory:
                        memory[number, :, window.left : window.end] = memory[last, :, window.left : window.end]
            self._used[last] = False
            self.rows.pop()
            window.rows = last
        used = self._used[: window.rows].any(axis=0)
        window.left = int(used.argmax()) if used.any() else window.end

    def _reserve(self, like: Sequence[Sequence[torch.Tensor]], rows: int, before: int, after: int) -> None:
        """Memory for so many rows, `before` columns up to the window's end, and `after` columns beyond it."""
        window, old = self._window, len(self.rows)
        width = window.end - window.left if old else 0
        rows = max(rows, self._used.shape[0])
        start = max(0, before - width)
        columns = start + width + max(after, _SPARE_COLUMNS)
        for layer, states in zip(self.cache.layers, like or [layer.memory for layer in self.cache.layers], strict=True):
            if states:
                layer.reserve(states, rows, old, start, columns)
        used = np.zeros((rows, columns), dtype=bool)
        used[:old, start : start + width] = self._used[:old, window.left : window.left + width]
        self._used = used
        window.left, window.end = start, start + width


# ------------------------------------------------------------------------------------------------------------- sampling


def _masked(logits: torch.Tensor, bits: np.ndarray) -> torch.Tensor:
    """Logits with minus infinity for tokens that a row's mask does not allow."""
    mask = torch.from_numpy(bits).to(logits.device, non_blocking=True)
    # Added eight at once, from a table: on a CPU several times faster than to fill in where a condition holds.
    eights = torch.nn.functional.embedding(mask.view(torch.uint8).int(), _table(logits.device))
    return logits.add_(eights.flatten(1)[:, : logits.shape[1]])


@lru_cache(maxsize=2)
def _table(device: torch.device) -> torch.Tensor:
    """For each byte of a mask what is added to the logits of its eight tokens."""
    with torch.inference_mode(False):
        bits = (torch.arange(256).unsqueeze(1) >> torch.arange(8)) & 1
        return torch.zeros(256, 8).masked_fill(bits == 0, -math.inf).to(device)


def _sample(logits: torch.Tensor, rows: Sequence[_Row]) -> tuple[list[int], list[float]]:
    """A token for each row by inversion of its distribution at a number from its own stream, and its log-probability
    among the allowed tokens. Rows that have tokens pending draw nothing; theirs have no meaning."""
    for number, row in enumerate(rows):
        if row.request.sampling.repetition_penalty != 1.0:
            _penalize(logits[number], row)
    settings = [row.request.sampling for row in rows]
    if any(setting.temperature not in (0, 1) for setting in settings):
        logits = logits / torch.tensor([s.temperature or 1.0 for s in settings], device=logits.device).unsqueeze(1)
    probabilities = torch.softmax(logits, dim=-1)
    for number, setting in enumerate(settings):
        if setting.top_k or setting.top_p < 1 or setting.min_p:
            probabilities[number] = _narrowed(probabilities[number], setting)
    drawn = [0.0 if row.pending else row.random.random() for row in rows]
    tokens = _inverted(probabilities, drawn)
    chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    greedy = torch.tensor([setting.temperature == 0 for setting in settings], device=logits.device)
    # A number at the very edge may fall on a token that is not allowed.
    if (likeliest := greedy | (chosen <= 0)).any():
        tokens = torch.where(likeliest, probabilities.argmax(dim=-1), tokens)
        chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    return tokens.tolist(), chosen.log().tolist()


def _inverted(probabilities: torch.Tensor, drawn: Sequence[float]) -> torch.Tensor:
    """For each row the first token up to which the probabilities add up to more than its number: first the block of tokens
    is found, then the token within it, so that only blocks are added up with double precision."""
    size, exact = probabilities.shape[1], torch.float32 if probabilities.device.type == "mps" else torch.float64
    whole = size // _BLOCK
    sums = probabilities[:, : whole * _BLOCK].reshape(-1, whole, _BLOCK).sum(dim=-1)
    sums = torch.cat([sums, probabilities[:, whole * _BLOCK :].sum(dim=-1, keepdim=True)], dim=1).to(exact)
    cumulated = sums.cumsum(dim=-1)
    wanted = (torch.tensor(drawn, dtype=exact, device=cumulated.device) * cumulated[:, -1]).unsqueeze(1)
    block = torch.searchsorted(cumulated, wanted, right=True).clamp(max=sums.shape[1] - 1)
    wanted = wanted - (cumulated - sums).gather(1, block)
    index = block * _BLOCK + torch.arange(_BLOCK, device=probabilities.device)
    within = probabilities.gather(1, index.clamp(max=size - 1)).to(exact).masked_fill(index >= size, 0).cumsum(dim=-1)
    # What rounding leaves beyond the block's sum belongs to its last token that has a probability.
    last = torch.searchsorted(within, within[:, -1:].contiguous())
    token: torch.Tensor = (
        block * _BLOCK + torch.minimum(torch.searchsorted(within, wanted, right=True), last)
    ).squeeze(1)
    return token.clamp(max=size - 1)


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
