"""The rows of a batch in a llama.cpp model.

Each row is a sequence of one context, and all sequences share its cells. One more sequence holds the last prompt; rows refer
to its cells, so that a common prompt is computed and stored once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from llama_cpp import llama_cpp as native

from hcmlang.engines.local.decoding import OutOfMemory, SequenceState

#: The most tokens in one call.
_FED = 2048


class LlamaBatch:
    """See :class:`hcmlang.engines.local.decoding.Batch`. `model` is a llama.cpp model; `cells` is the number of tokens in
    memory, for at most `rows` rows and a prompt."""

    device = torch.device("cpu")

    def __init__(self, model: Any, rows: int, cells: int, threads: int) -> None:
        self.rows: list[SequenceState] = []
        self._vocabulary = native.llama_vocab_n_tokens(native.llama_model_get_vocab(model))
        settings = native.llama_context_default_params()
        settings.n_ctx = cells
        settings.n_batch = _FED
        settings.n_ubatch = 512
        settings.n_seq_max = rows + 1
        settings.n_outputs_max = rows + 1
        settings.kv_unified = True
        settings.n_threads = settings.n_threads_batch = threads
        self._model = model  # must not be freed before its context
        self._context = native.llama_init_from_model(model, settings)
        if not self._context:
            raise OutOfMemory(f"llama.cpp cannot make a context of {cells:,} tokens")
        self._memory = native.llama_get_memory(self._context)
        self._batch = native.llama_batch_init(_FED, 0, 1)
        self.context = min(native.llama_n_ctx(self._context), native.llama_model_n_ctx_train(model))
        width = (
            native.llama_model_n_embd(model) * native.llama_model_n_head_kv(model) // native.llama_model_n_head(model)
        )
        # Keys and values have two bytes each.
        self.memory = native.llama_n_ctx(self._context) * native.llama_model_n_layer(model) * width * 4
        self._slots: dict[SequenceState, int] = {}
        self._free = list(range(rows))
        self._shared = rows
        """The sequence of the last prompt."""
        self._prompt: tuple[int, ...] = ()
        self._last: list[int | None] = []
        """The position of each row's last token in the call; None for rows with pending tokens."""

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            native.llama_batch_free(self._batch)
            native.llama_free(self._context)

    def join(self, rows: Sequence[SequenceState]) -> int:
        """Add rows, those with the same prompt together."""
        computed = 0
        for row in sorted(rows, key=lambda row: row.request.prompt):
            prompt = row.request.prompt[:-1]
            computed += self._read(prompt)
            slot = self._free.pop()
            native.llama_memory_seq_cp(self._memory, self._shared, slot, -1, -1)
            self._slots[row] = slot
            self.rows.append(row)
        return computed

    def _read(self, prompt: tuple[int, ...]) -> int:
        """Put a prompt into the shared sequence. Returns the number of tokens computed."""
        same = next((n for n, (a, b) in enumerate(zip(prompt, self._prompt, strict=False)) if a != b), None)
        same = min(len(prompt), len(self._prompt)) if same is None else same
        native.llama_memory_seq_rm(self._memory, self._shared, same, -1)
        self._prompt = prompt[:same]
        for start in range(same, len(prompt), _FED):
            part = prompt[start : start + _FED]
            for number, token in enumerate(part):
                self._put(number, token, start + number, self._shared, wanted=False)
            self._decode(len(part))
            self._prompt = prompt[: start + len(part)]
        return len(prompt) - same

    def prepare(self) -> None:
        """Add pending tokens of each row to the call."""
        count, share = 0, _FED // max(1, len(self.rows))
        self._last = []
        for row in self.rows:
            fed, row.pending = row.pending[:share], row.pending[share:]
            for number, token in enumerate(fed, start=1):
                last = number == len(fed) and not row.pending
                self._put(count, token, row.length, self._slots[row], wanted=last)
                row.length += 1
                count += 1
            self._last.append(None if row.pending else count - 1)
        self._batch.n_tokens = count

    def forward(self) -> torch.Tensor:
        """The logits after each row's last token."""
        self._decode(self._batch.n_tokens)
        logits = torch.zeros(len(self.rows), self._vocabulary)
        for number, place in enumerate(self._last):
            if place is not None:
                row = native.llama_get_logits_ith(self._context, place)
                logits[number] = torch.from_numpy(np.ctypeslib.as_array(row, (self._vocabulary,)))
        return logits

    def drop(self, numbers: Collection[int]) -> None:
        """Remove rows; the last rows move to their places."""
        for number in sorted(numbers, reverse=True):
            slot = self._slots.pop(self.rows[number])
            native.llama_memory_seq_rm(self._memory, slot, -1, -1)
            self._free.append(slot)
            self.rows[number] = self.rows[-1]
            self.rows.pop()

    def clear(self) -> None:
        """Remove all rows and the prompt."""
        native.llama_memory_clear(self._memory, True)
        self.rows.clear()
        self._free += self._slots.values()
        self._slots.clear()
        self._prompt = ()

    def _put(self, number: int, token: int, position: int, sequence: int, *, wanted: bool) -> None:
        batch = self._batch
        batch.token[number] = token
        batch.pos[number] = position
        batch.n_seq_id[number] = 1
        batch.seq_id[number][0] = sequence
        batch.logits[number] = wanted

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        answer = native.llama_decode(self._context, self._batch)
        if answer == 1:  # no free cell
            raise OutOfMemory(f"{native.llama_n_ctx(self._context):,} tokens in memory are not enough")
        if answer:
            raise RuntimeError(f"llama.cpp failed on a batch of {count} tokens ({answer})")
