"""A sentence encoder that stays as it is, and a logistic regression on its vectors: trains in seconds once texts are encoded.

Features of a text are the mean of its tokens' last hidden states, scaled to length one, as sentence encoders are trained to be
used (Reimers and Gurevych 2019). Features of a pair are both vectors, their difference and their product, by element.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from hcmlang.classifiers import batches
from hcmlang.classifiers.base import LOAD_HINT, not_loaded, wrong_labels
from hcmlang.classifiers.transformer import device_of, loading, memory, quiet
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.hashing import content_key
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import EncoderClassifier

_CONFIG = "encoder.json"
_WEIGHTS = "encoder.safetensors"
_HINT = (
    "give `classifier.model` a hub id (and be online), or a folder with config.json, model.safetensors and a tokenizer"
)
#: Texts that are encoded and kept as one block. A vector depends a little on the texts that it is computed beside, so blocks
#: are a function of their own texts alone.
_BLOCK = 512
#: Blocks that are kept: arms and seeds are trained and evaluated on mostly the same rows.
_KEPT = 400
_BLOCKS: OrderedDict[str, np.ndarray] = OrderedDict()


class Encoder:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, config: EncoderClassifier, labels: tuple[str, ...], model: Any) -> None:
        self._config = config
        self.labels = labels
        self._model = model

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        scores = np.zeros((len(table), len(self.labels)), dtype=np.float32)
        if len(table):
            scores[:, self._model.classes_] = self._model.predict_proba(self.embed(table, progress).astype(np.float64))
        return scores

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return _features(self._config, table, progress)

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        config = {"labels": list(self.labels), "encoder": self._config.model, "revision": self._config.revision}
        (folder / _CONFIG).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        arrays = {
            "coef": np.ascontiguousarray(self._model.coef_, dtype=np.float64),
            "intercept": np.ascontiguousarray(self._model.intercept_, dtype=np.float64),
            "classes": np.ascontiguousarray(self._model.classes_, dtype=np.int64),
        }
        save_file(arrays, folder / _WEIGHTS)


def fit(
    config: EncoderClassifier, table: Table, *, weights: np.ndarray | None = None, progress: Progress = SILENT
) -> Encoder:
    """Train on a table; see :func:`hcmlang.classifiers.fit`. The encoder is not trained, so a start makes no difference."""
    from sklearn.linear_model import LogisticRegression

    features = _features(config, table, progress).astype(np.float64)
    model = LogisticRegression(C=config.regularization, max_iter=2000)
    return Encoder(config, table.labels, model.fit(features, table.y, sample_weight=weights))


def is_encoder(folder: Path) -> bool:
    """Whether the folder holds a classifier of this kind."""
    return (folder / _CONFIG).is_file()


def load(config: EncoderClassifier | None, folder: Path, labels: tuple[str, ...] | None = None) -> Encoder:
    """A classifier that :meth:`Encoder.save` wrote; with the encoder that it names where there is no `config`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from sklearn.linear_model import LogisticRegression

    try:
        saved, arrays = json.loads((folder / _CONFIG).read_text(encoding="utf-8")), load_file(folder / _WEIGHTS)
        model = LogisticRegression()
        model.classes_, model.coef_, model.intercept_ = arrays["classes"], arrays["coef"], arrays["intercept"]
        known = tuple(saved["labels"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DiagnosticError(not_loaded(folder, error, LOAD_HINT)) from error
    if labels is not None and labels != known:
        raise DiagnosticError(wrong_labels(known, labels))
    config = config or EncoderClassifier(kind="encoder", model=saved["encoder"], revision=saved["revision"])
    return Encoder(config, known, model)


def _features(config: EncoderClassifier, table: Table, progress: Progress) -> np.ndarray:
    """Float32, shape (rows, dimensions)."""
    columns = [_vectors(config, column, progress) for column in table.columns]
    if len(columns) == 1:
        return columns[0]
    first, second = columns
    return np.hstack([first, second, abs(first - second), first * second])


def _vectors(config: EncoderClassifier, texts: Sequence[str], progress: Progress) -> np.ndarray:
    """The vector of each text, by blocks of consecutive ones; blocks that are kept are not encoded again."""
    blocks = [texts[begin : begin + _BLOCK] for begin in range(0, len(texts), _BLOCK)]
    which = [config.model, config.revision, config.max_tokens]
    keys = [content_key([which, list(block)]) for block in blocks]
    missing = {key: block for key, block in zip(keys, blocks, strict=True) if key not in _BLOCKS}
    found = {key: _BLOCKS[key] for key in keys if key in _BLOCKS}
    if missing:
        found |= zip(missing, _encoded(config, list(missing.values()), progress), strict=True)
    for key in keys:
        _BLOCKS[key] = found[key]
        _BLOCKS.move_to_end(key)
    while len(_BLOCKS) > _KEPT:
        _BLOCKS.popitem(last=False)
    return np.concatenate([found[key] for key in keys]) if keys else np.zeros((0, 1), dtype=np.float32)


def _encoded(config: EncoderClassifier, blocks: Sequence[Sequence[str]], progress: Progress) -> Iterator[np.ndarray]:
    """The vectors of each block, shape (texts, dimensions)."""
    device = device_of(config.device)
    with quiet(), loading(config.model, _HINT):
        shared = {"revision": config.revision, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(config.model, **shared)
        model = AutoModel.from_pretrained(config.model, use_safetensors=True, **shared).to(device).eval()
    limit = min(config.max_tokens, tokenizer.model_max_length)
    tokens = batches.room(model.config, device, limit)

    def forward(inputs: batches.Inputs) -> torch.Tensor:
        hidden = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1), dim=-1)

    count = sum(map(len, blocks))
    with progress.task(f"encoding {count:,} texts", count) as advance, memory():
        encode = partial(_tokens, tokenizer, limit)
        yield from batches.outputs(blocks, encode, forward, tokens, device, advance)


def _tokens(tokenizer: Any, limit: int, texts: Sequence[str]) -> batches.Encoded:
    return batches.encoded(tokenizer, [list(texts)], limit)
