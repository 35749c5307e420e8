"""Batches for models that read texts: rows of similar length together, as many as fit into memory.

Rows are encoded and sorted by length one window at a time, so that a pool of any size needs the memory of two windows. While
the model works on one window, a thread encodes the next: the tokenizers are compiled and release Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.pretrained import out_of_memory
from hcmlang.progress import Advance, nothing_to_show

#: Rows that are sorted by length and encoded at a time.
WINDOW = 8_192
#: Larger batches, in tokens, are no faster.
_MOST = {"cpu": 2_048, "cuda": 65_536, "mps": 16_384}
#: The share of memory that a batch may take: the estimate is rough, and other programs need memory too.
_SHARE = 0.25

Item = TypeVar("Item")
Made = TypeVar("Made")
#: A model's inputs by name: tensors of shape (rows, tokens).
Inputs = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """Tokenized rows: for each input of the model the numbers of each row, the padding value, and the padding side."""

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
        inputs = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
        for name, column in self.columns.items():
            values = np.full(mask.shape, self.padding.get(name, 0), dtype=np.int64)
            values[mask] = np.concatenate([column[row] for row in rows])
            inputs[name] = torch.from_numpy(values)
        return inputs


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
    """The model's output for the rows of each window, in order: float32, shape (rows of the window, ...).

    Args:
        encode: Turns a window into tokens; runs in another thread, one window ahead.
        forward: Gets the inputs of at most `tokens` tokens on the device, and returns a tensor with an entry for each row. A
            batch that does not fit into memory is halved.
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
                # Only this line waits for the accelerator.
                sorted_values = torch.cat(parts).float().cpu().numpy()
                values = np.empty_like(sorted_values)
                values[np.concatenate(order)] = sorted_values
                yield values


def by_length(lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of at most `tokens` tokens with padding, the longest rows first. A longer row is a batch by
    itself."""
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        end = begin + max(1, tokens // max(1, int(lengths[order[begin]])))
        yield order[begin:end]
        begin = end


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """`make` of each item, in order. A thread computes the next result while the caller uses the last one."""
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
    """The tokens of a batch that fit into memory, a power of two, estimated from a model's configuration for rows of at most
    `limit` tokens."""
    hidden = int(getattr(config, "hidden_size", 0) or 1_024)
    layers = int(getattr(config, "num_hidden_layers", 0) or 24)
    heads = int(getattr(config, "num_attention_heads", 0) or 16)
    inner = int(getattr(config, "intermediate_size", 0) or 4 * hidden)
    # For each token: the states of all layers, the intermediate results of one layer, and its row of attention.
    bytes_each = 4 * ((layers + 8) * hidden + 2 * inner + heads * limit)
    tokens = max(limit, int(_SHARE * _memory(device)) // bytes_each)
    return min(_MOST[device], 1 << (tokens.bit_length() - 1))


def _memory(device: str) -> int:
    """The free bytes of a GPU; elsewhere all bytes of the machine or container, so that the batch size (and the last digits
    of a result) does not depend on other programs."""
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
        if not out_of_memory(error) or rows == 1:
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    parts = [{name: values[half] for name, values in inputs.items()} for half in _halves(rows)]
    return [output for part in parts for output in _halved(forward, part)]


def _halves(rows: int) -> tuple[slice, slice]:
    return slice(0, rows // 2), slice(rows // 2, None)


@contextmanager
def memory() -> Iterator[None]:
    """Convert out-of-memory errors to a :class:`DiagnosticError`."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        hint = "lower `classifier.batch_size` or `classifier.max_tokens`; finished steps are kept"
        raise DiagnosticError(Diagnostic("out-of-memory", "the device's memory is full", hint=hint)) from error
