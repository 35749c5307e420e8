"""A trained Hugging Face sequence classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hcmlang.classifiers import batches, openvino
from hcmlang.classifiers.base import LOAD_HINT, wrong_labels
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.pretrained import device_of, loading, quiet
from hcmlang.progress import SILENT, Progress

#: Rows on which a converted model is compared with the original.
_COMPARED = 64


class SequenceModel:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, config: TransformersClassifier, model: Any, tokenizer: Any, columns: Sequence[int]) -> None:
        """`columns` are the model's outputs in the order of the task's labels."""
        self._config = config
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._columns = list(columns)
        self._converted: openvino.Forward | None = None

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        def forward(inputs: batches.Inputs) -> torch.Tensor:
            return torch.softmax(logits(self._known(inputs)).float(), dim=-1)[:, self._columns]

        logits = self._logits(table, progress)
        return self._outputs(table, forward, progress, np.zeros((0, len(self._columns)), dtype=np.float32))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        def forward(inputs: batches.Inputs) -> torch.Tensor:
            output = self._model(**self._known(inputs), output_hidden_states=True)
            hidden: torch.Tensor = output.hidden_states[-1].float()
            mask = inputs["attention_mask"].unsqueeze(-1).float()
            return (hidden * mask).sum(1) / mask.sum(1)

        return self._outputs(table, forward, progress, np.zeros((0, 1), dtype=np.float32))

    def save(self, folder: Path) -> None:
        with quiet():
            self._model.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def _logits(self, table: Table, progress: Progress) -> openvino.Forward:
        """The forward pass of the configured backend; a converted model is compared with the original on rows of the table."""
        if self._config.backend == "torch" or not len(table):
            return lambda inputs: cast(torch.Tensor, self._model(**inputs).logits)
        if self._converted is None:
            step = max(1, len(table) // _COMPARED)
            rows = table.take(np.arange(0, len(table), step)[:_COMPARED])
            limit = token_limit(self._tokenizer, self._model, self._config.max_tokens)
            window = batches.encoded(self._tokenizer, [list(column) for column in rows.columns], limit)
            lengths = window.lengths()
            sample = [
                self._known(window.padded(batch, lengths)) for batch in batches.by_length(lengths, _COMPARED * 16)
            ]
            with quiet():
                self._converted = openvino.converted(self._model.to("cpu"), sample)
            if openvino.precision() != "bf16":
                progress.note("  this CPU has no matrix units for bfloat16: OpenVINO predicts in float32")
        return self._converted

    def _known(self, inputs: batches.Inputs) -> batches.Inputs:
        """The inputs without the mask, for models that take none."""
        masked = "attention_mask" in self._tokenizer.model_input_names
        return inputs if masked else {name: values for name, values in inputs.items() if name != "attention_mask"}

    def _outputs(self, table: Table, forward: openvino.Forward, progress: Progress, empty: np.ndarray) -> np.ndarray:
        """The model's output for each row, float32; `empty` if there are no rows."""
        device = device_of(self._config.device) if self._config.backend == "torch" else "cpu"
        self._model.to(device)
        limit = token_limit(self._tokenizer, self._model, self._config.max_tokens)
        tokens = batches.room(self._model.config, device, limit)

        def encode(rows: range) -> batches.Encoded:
            texts = [list(column[rows.start : rows.stop]) for column in table.columns]
            return batches.encoded(self._tokenizer, texts, limit)

        windows = [range(len(table))[begin : begin + batches.WINDOW] for begin in range(0, len(table), batches.WINDOW)]
        with quiet(), progress.task(f"predicting {len(table):,} rows", len(table)) as advance, batches.memory():
            made = list(batches.outputs(windows, encode, forward, tokens, device, advance))
        return np.concatenate(made) if made else empty


def load(config: TransformersClassifier, folder: Path, labels: tuple[str, ...]) -> SequenceModel:
    """A classifier that :meth:`SequenceModel.save` wrote."""
    model = open_model(folder)
    with loading(folder, LOAD_HINT):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return SequenceModel(config, model, tokenizer, columns_of(model, labels))


def open_model(folder: Path) -> Any:
    """The library's own model in a folder that :meth:`SequenceModel.save` wrote."""
    with loading(folder, LOAD_HINT):
        return AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)


def columns_of(model: Any, labels: tuple[str, ...]) -> list[int]:
    """The model's outputs in the order of the labels. Raises :class:`DiagnosticError` if it has other labels."""
    known = {str(name): int(number) for number, name in model.config.id2label.items()}
    if set(labels) != set(known):
        raise DiagnosticError(wrong_labels(known, labels))
    return [known[label] for label in labels]


def token_limit(tokenizer: Any, model: Any, max_tokens: int) -> int:
    """The length in tokens that texts are cut to."""
    limit = min(max_tokens, int(tokenizer.model_max_length))
    # A tokenizer may not know how many positions the model has.
    positions = getattr(model.config, "max_position_embeddings", None)
    return min(limit, int(positions)) if positions and positions > 0 else limit
