"""Batches for models that read texts: rows of like length together, as many as memory has room for, encoded ahead of the
forward pass.

Rows are encoded and sorted by length a window at a time, so that a pool of any size takes the memory of two windows. While the
model works on one of them, a thread encodes the next: the tokenizers are compiled, and let go of Python's lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from hcmlang.progress import Advance, nothing_to_show

#: Rows that are sorted by length and encoded at a time.
WINDOW = 8_192
#: Tokens of a batch beyond which it gets no faster.
_MOST = {"cpu": 2_048, "cuda": 65_536, "mps": 16_384}
#: The share of memory that a batch may take: others are there, too, and the estimate is rough.
_SHARE = 0.25
_FULL = re.compile("out of memory|can't allocate memory|ALLOC_FAILED", re.IGNORECASE)

Item = TypeVar("Item")
Made = TypeVar("Made")
#: What a model is given, by name: tensors of shape (rows, tokens).
Inputs = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """Rows as a tokenizer leaves them: for each of a model's inputs the numbers of each row, what it is padded with, and on
    which side."""

    columns: Mapping[str, list[list[int]]]
    padding: Mapping[str, int]
    left: bool = False

    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64."""
        return np.fromiter(map(len, self.columns["input_ids"]), dtype=np.int64)

    def padded(self, rows: np.ndarray, lengths: np.ndarray) -> dict[str, torch.Tensor]:
        """The inputs of some rows, int64, shape (rows, tokens of the longest), with an `attention_mask`."""
        own = lengths[rows]
        mask = np.arange(own.max(initial=0)) < own[:, None]
        if self.left:
            mask = mask[:, ::-1]
        found = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
        for name, column in self.columns.items():
            values = np.full(mask.shape, self.padding.get(name, 0), dtype=np.int64)
            values[mask] = np.concatenate([column[row] for row in rows])
            found[name] = torch.from_numpy(values)
        return found


def encoded(tokenizer: Any, texts: Iterable[list[str]], limit: int) -> Encoded:
    """One text for each row, or two, by a tokenizer of transformers; longer ones are cut to `limit` tokens."""
    columns = dict(tokenizer(*texts, truncation=True, max_length=limit))
    padding = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
    return Encoded(columns, padding, tokenizer.padding_side == "left")


def outputs(
    windows: Iterable[Item],
    encode: Callable[[Item], Encoded],
    forward: Callable[[Inputs], torch.Tensor],
    tokens: int,
    device: str,
    advance: Advance = nothing_to_show,
) -> Iterator[np.ndarray]:
    """What a model says of each row of each window, in order: float32, shape (rows of the window, ...).

    `encode` turns a window into tokens, in another thread, one window ahead; `forward` gets the inputs of at most `tokens`
    tokens on the device, and gives a tensor with an entry for each row. A batch that memory has no room for is halved.
    """
    with torch.inference_mode(), precision(device):
        for window in ahead(encode, windows):
            lengths = window.lengths()
            order: list[np.ndarray] = []
            parts: list[torch.Tensor] = []
            for rows in by_length(lengths, tokens):
                inputs = {name: values.to(device) for name, values in window.padded(rows, lengths).items()}
                parts += _halved(forward, inputs)
                order.append(rows)
                advance(len(rows))
            if parts:
                # Only here does an accelerator have to be waited for.
                found = torch.cat(parts).float().cpu().numpy()
                values = np.empty_like(found)
                values[np.concatenate(order)] = found
                yield values


def by_length(lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Row numbers in batches, the longest rows first, none of more than `tokens` tokens with its padding; a row that is longer
    is a batch by itself."""
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        end = begin + max(1, tokens // max(1, int(lengths[order[begin]])))
        yield order[begin:end]
        begin = end


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """`make` of each item, in order; a thread makes the next one while the caller is at work on one."""
    with ThreadPoolExecutor(1) as thread:
        made = None
        for item in items:
            following = thread.submit(make, item)
            if made is not None:
                yield made.result()
            made = following
        if made is not None:
            yield made.result()


def precision(device: str) -> AbstractContextManager[Any]:
    """bfloat16 on accelerators that compute in it; float32 elsewhere."""
    if device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def room(config: Any, device: str, limit: int) -> int:
    """Tokens of a batch that memory has room for, a power of two: from the sizes that a model's configuration states, for
    rows of at most `limit` tokens."""
    hidden = int(getattr(config, "hidden_size", 0) or 1_024)
    layers = int(getattr(config, "num_hidden_layers", 0) or 24)
    heads = int(getattr(config, "num_attention_heads", 0) or 16)
    inner = int(getattr(config, "intermediate_size", 0) or 4 * hidden)
    # Of each token: the states that are kept of all layers, what a layer makes on its way, and its row of attention.
    bytes_each = 4 * ((layers + 8) * hidden + 2 * inner + heads * limit)
    tokens = max(limit, int(_SHARE * _memory(device)) // bytes_each)
    return min(_MOST[device], 1 << (tokens.bit_length() - 1))


def _memory(device: str) -> int:
    """Bytes: what is free on a card, all that this machine or container has elsewhere, so that a batch, and with it the last
    digits of a result, does not depend on what else runs there."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    limit = Path("/sys/fs/cgroup/memory.max")
    own = limit.read_text().strip() if limit.is_file() else "max"
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 8 << 30
    return min(whole, int(own)) if own.isdigit() else whole


def _halved(forward: Callable[[Inputs], torch.Tensor], inputs: Inputs) -> list[torch.Tensor]:
    try:
        return [forward(inputs)]
    except RuntimeError as error:
        rows = len(inputs["input_ids"])
        if not is_full(error) or rows == 1:
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    parts = [{name: values[half] for name, values in inputs.items()} for half in _halves(rows)]
    return [found for part in parts for found in _halved(forward, part)]


def _halves(rows: int) -> tuple[slice, slice]:
    return slice(0, rows // 2), slice(rows // 2, None)


def is_full(error: RuntimeError) -> bool:
    """Whether a device has run out of memory; torch has a class of its own for this on some devices only."""
    return isinstance(error, torch.OutOfMemoryError) or bool(_FULL.search(str(error)))
