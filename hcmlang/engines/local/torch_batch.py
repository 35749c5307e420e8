"""The rows of a batch in a transformers model.

Rows of different lengths share one cache, a block of memory that is written in place. New tokens are aligned to the right, so
that the last column has the last token of each row; empty columns are masked. A shared prompt is computed once.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from hcmlang.engines.local.decoding import OutOfMemory, SequenceState

#: Prompts whose cache is kept for later rows.
_KEPT_PREFIXES = 8
#: Spare columns of a new cache.
_SPARE_COLUMNS = 96
#: Configuration keys of attention windows.
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size")
#: Layer types whose cache is keys and values.
_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
#: A step feeds one more token if at least this share of the rows has one; the others are padded.
_FILLED = 1 / 8


class TorchBatch:
    """See :class:`hcmlang.engines.local.decoding.Batch`. `limit` is in bytes, for keys and values of rows and kept prompts.
    Benchmarks turn `share_prefixes` off."""

    def __init__(
        self, model: Any, *, context: int | None = None, limit: int | None = None, share_prefixes: bool = True
    ) -> None:
        self.rows: list[SequenceState] = []
        self.context = context or getattr(model.config, "max_position_embeddings", None) or 1 << 30
        self.device = next(model.parameters()).device
        self.memory = 0
        self._model = model.eval()
        # transformers renamed the argument within its version 5.
        known = inspect.signature(model.forward).parameters
        self._argument = "cache" if "cache" in known else "past_key_values"
        self._limit = limit
        self._share = share_prefixes
        config = model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ())
        # A layer with a window counts columns, so rows must have no gaps: then every step feeds one token.
        self._gaps = kinds <= {"full_attention"} and not any(getattr(config, name, None) for name in _WINDOWS)
        self._prefixes: OrderedDict[tuple[int, ...], DynamicCache] = OrderedDict()
        self._fed: dict[str, torch.Tensor] = {}
        self.clear()

    def clear(self) -> None:
        """Remove all rows; prompts are kept."""
        self.rows.clear()
        self._window = _Window()
        self._cache = Cache(layer_class_to_replicate=partial(_Layer, self._window))
        self._used = np.zeros((0, 0), dtype=bool)
        """Whether each row and column of the cache holds a token."""

    def join(self, rows: Sequence[SequenceState]) -> int:
        """Add rows, those with the same prompt together."""
        by_prompt: dict[tuple[int, ...], list[SequenceState]] = {}
        for row in rows:
            by_prompt.setdefault(row.request.prompt, []).append(row)
        computed = 0
        for prompt, same in by_prompt.items():
            for group in [same] if self._share else [[row] for row in same]:
                prefix, new = self._prefix(prompt[:-1])
                computed += new
                self._add(group, prefix)
        return computed

    def _prefix(self, tokens: tuple[int, ...]) -> tuple[DynamicCache | None, int]:
        """The cache of a prompt without its last token, and the number of tokens computed for it."""
        if not tokens:
            return None, 0
        if tokens in self._prefixes and self._share:
            self._prefixes.move_to_end(tokens)
            return self._prefixes[tokens], 0
        cache = DynamicCache()
        ids = torch.tensor([tokens], device=self.device)
        self._run(input_ids=ids, **{self._argument: cache})
        self._prefixes[tokens] = cache
        while len(self._prefixes) > _KEPT_PREFIXES:
            self._prefixes.popitem(last=False)
        return cache, len(tokens)

    def _run(self, **arguments: Any) -> torch.Tensor:
        try:
            logits: torch.Tensor = self._model(use_cache=True, logits_to_keep=1, **arguments).logits
        except RuntimeError as error:
            # On a CPU, running out of memory is not an OutOfMemoryError.
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                self._prefixes.clear()
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                raise OutOfMemory(str(error).partition("\n")[0]) from error
            raise
        return logits

    def _add(self, rows: list[SequenceState], prefix: DynamicCache | None) -> None:
        """Add rows with the same prompt, whose cache is `prefix`."""
        size = prefix.get_seq_length() if prefix is not None else 0
        old, new = len(self.rows), len(self.rows) + len(rows)
        layers = prefix.layers if prefix is not None else ()
        while len(self._cache.layers) < len(layers):
            self._cache.layers.append(_Layer(self._window))
        if new > self._used.shape[0] or size > self._window.end or (size and not self._cache.layers[0].memory):
            self._reserve([(layer.keys, layer.values) for layer in layers], new, size, 0)
        window = self._window
        columns = slice(window.end - size, window.end)
        for number, layer in enumerate(layers):
            for memory, states in zip(self._cache.layers[number].memory, (layer.keys, layer.values), strict=True):
                memory[old:new, :, columns] = states
        self._used[old:new] = False
        self._used[old:new, columns] = True
        window.left = min(window.left, columns.start) if old else columns.start
        self.rows += rows
        window.rows = new

    def prepare(self) -> None:
        """Ids, attention mask and positions of each row's pending tokens, aligned to the right."""
        sizes = [len(row.pending) for row in self.rows]
        # If few rows have many pending tokens, several steps feed them, so that not all rows are padded.
        count = 1
        while self._gaps and sum(size > count for size in sizes) >= _FILLED * len(sizes):
            count += 1
        window = self._window
        if window.end + count > self._used.shape[1]:
            self._reserve([layer.memory for layer in self._cache.layers], len(self.rows), 0, count)
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
        made = {"input_ids": ids, "attention_mask": attention, "position_ids": positions}
        self._fed = {name: torch.from_numpy(values).to(self.device) for name, values in made.items()}

    def forward(self) -> torch.Tensor:
        """The logits after each row's last token."""
        return self._run(**self._fed, **{self._argument: self._cache})[:, -1].float()

    def drop(self, numbers: Collection[int]) -> None:
        """Remove rows; the last rows move to their places. Unused columns on the left are dropped."""
        window = self._window
        for number in sorted(numbers, reverse=True):
            last = len(self.rows) - 1
            if number < last:
                self.rows[number] = self.rows[last]
                self._used[number] = self._used[last]
                for layer in self._cache.layers:
                    for memory in layer.memory:
                        memory[number, :, window.left : window.end] = memory[last, :, window.left : window.end]
            self._used[last] = False
            self.rows.pop()
            window.rows = last
        used = self._used[: window.rows].any(axis=0)
        window.left = int(used.argmax()) if used.any() else window.end

    def _reserve(self, like: Sequence[Sequence[torch.Tensor]], rows: int, before: int, after: int) -> None:
        """Allocate memory for the rows, `before` columns up to the window's end, and `after` columns beyond it."""
        window, old = self._window, len(self.rows)
        width = window.end - window.left if old else 0
        rows = max(rows, self._used.shape[0])
        start = max(0, before - width)
        columns = start + width + max(after, _SPARE_COLUMNS)
        like = like or [layer.memory for layer in self._cache.layers]
        self._make_room(rows * columns * sum(_size(states) / _places(states) for states in like if states), rows)
        for layer, states in zip(self._cache.layers, like, strict=True):
            if states:
                layer.reserve(states, rows, old, start, columns)
        used = np.zeros((rows, columns), dtype=bool)
        used[:old, start : start + width] = self._used[:old, window.left : window.left + width]
        self._used = used
        window.left, window.end = start, start + width

    def _make_room(self, wanted: float, rows: int) -> None:
        """Drop kept prompts until the rows' memory fits into the limit."""
        while self._limit is not None and wanted + self._kept() > self._limit:
            if not self._prefixes:
                raise OutOfMemory(
                    f"{rows} rows need {wanted / 1e9:.3g} GB, and the limit is {self._limit / 1e9:.3g} GB"
                )
            self._prefixes.popitem(last=False)
        self.memory = max(self.memory, int(wanted + self._kept()))

    def _kept(self) -> int:
        """Bytes of the kept prompts."""
        return sum(_size((layer.keys, layer.values)) for prefix in self._prefixes.values() for layer in prefix.layers)


def recurrent(model: Any) -> bool:
    """Whether a model has recurrent layers: they cannot batch rows that started at different times."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    return bool(getattr(model, "_is_stateful", False) or kinds - _ATTENTION)


def _size(states: Sequence[torch.Tensor]) -> int:
    return sum(part.nbytes for part in states)


def _places(states: Sequence[torch.Tensor]) -> int:
    """Rows times columns."""
    return states[0].shape[0] * states[0].shape[2]


@dataclass
class _Window:
    """The used part of the cache: the first `rows` rows, and the columns from `left` to `end`; the current step writes the
    last `fed` columns."""

    rows: int = 0
    left: int = 0
    end: int = 0
    fed: int = 0


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A layer's keys and values, written in place into memory with spare room."""

    def __init__(self, window: _Window) -> None:
        super().__init__()
        self._window = window
        self.memory: list[torch.Tensor] = []
        """Of keys and values, each (rows, heads, columns, size)."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the states of this step's columns. Returns the states of all used columns."""
        del args, kwargs
        window = self._window
        if not self.memory:  # all prompts have one token, so no prefix has set the sizes
            self.reserve([key_states, value_states], window.rows, 0, 0, window.end + _SPARE_COLUMNS)
        for memory, states in zip(self.memory, (key_states, value_states), strict=True):
            memory[: window.rows, :, window.end - window.fed : window.end] = states
        self.keys, self.values = (part[: window.rows, :, window.left : window.end] for part in self.memory)
        self.is_initialized = True
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """The number of columns before this step."""
        return self._window.end - self._window.left - self._window.fed

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The number of columns of a mask, and the first of them."""
        return self.get_seq_length() + query_length, 0

    def reserve(self, like: Sequence[torch.Tensor], rows: int, old: int, start: int, columns: int) -> None:
        """Allocate memory, and copy the first `old` rows of the window to column `start`."""
        window, before = self._window, self.memory
        self.memory = []
        for number, states in enumerate(like):
            # Zeros, because masked columns have no weight but must be finite.
            made = states.new_zeros((rows, states.shape[1], columns, states.shape[3]))
            if before and old:
                used = before[number][:old, :, window.left : window.end]
                made[:old, :, start : start + used.shape[2]] = used
            self.memory.append(made)
