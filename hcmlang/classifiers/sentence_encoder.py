"""Logistic regression on the vectors of a frozen sentence encoder.

The features of a text are the mean of its tokens' last hidden states, scaled to length one, as sentence encoders are trained
to be used (Reimers and Gurevych 2019). The features of a pair are both vectors, and their difference and product by element.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from hcmlang.classifiers import batches, logistic
from hcmlang.classifiers.base import wrong_labels
from hcmlang.classifiers.encoder import EncoderClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.hashing import content_key
from hcmlang.pretrained import device_of, loading, quiet
from hcmlang.progress import SILENT, Progress

_STEM = "encoder"
_HINT = (
    "set `classifier.model` to a hub id (when online), or a folder with config.json, model.safetensors and a tokenizer"
)
#: Texts that are encoded and cached as one block. A vector depends a little on the texts of its batch, so a block is computed
#: from its own texts alone.
_BLOCK = 512
#: Blocks in the cache: arms and seeds train and evaluate on mostly the same rows.
_CACHED = 400
_CACHE: OrderedDict[str, np.ndarray] = OrderedDict()


class EncoderModel:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, config: EncoderClassifier, labels: tuple[str, ...], model: Any) -> None:
        self._config = config
        self.labels = labels
        self._model = model

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        features = self.embed(table, progress).astype(np.float64)
        return logistic.probabilities(self._model, features, len(self.labels))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return _features(self._config, table, progress)

    def save(self, folder: Path) -> None:
        names = {"labels": list(self.labels), "encoder": self._config.model, "revision": self._config.revision}
        logistic.write(folder, _STEM, names, logistic.learned(self._model))


def fit(config: EncoderClassifier, table: Table, weights: np.ndarray | None, progress: Progress) -> EncoderModel:
    """Train on a table."""
    from sklearn.linear_model import LogisticRegression

    features = _features(config, table, progress).astype(np.float64)
    model = LogisticRegression(C=config.regularization, max_iter=2000)
    return EncoderModel(config, table.labels, model.fit(features, table.y, sample_weight=weights))


def load(config: EncoderClassifier | None, folder: Path, labels: tuple[str, ...] | None = None) -> EncoderModel:
    """A classifier that :meth:`EncoderModel.save` wrote; without `config`, with the encoder that it names."""

    def build(names: dict[str, Any], arrays: dict[str, np.ndarray]) -> EncoderModel:
        own = EncoderClassifier(kind="encoder", model=names["encoder"], revision=names["revision"])
        return EncoderModel(config or own, tuple(names["labels"]), logistic.restored(arrays))

    loaded = logistic.read(folder, _STEM, build)
    if labels is not None and labels != loaded.labels:
        raise DiagnosticError(wrong_labels(loaded.labels, labels))
    return loaded


def _features(config: EncoderClassifier, table: Table, progress: Progress) -> np.ndarray:
    """Float32, shape (rows, dimensions)."""
    columns = [_vectors(config, column, progress) for column in table.columns]
    if len(columns) == 1:
        return columns[0]
    first, second = columns
    return np.hstack([first, second, abs(first - second), first * second])


def _vectors(config: EncoderClassifier, texts: Sequence[str], progress: Progress) -> np.ndarray:
    """The vector of each text. Blocks of consecutive texts that are in the cache are not encoded again."""
    blocks = [texts[begin : begin + _BLOCK] for begin in range(0, len(texts), _BLOCK)]
    which = [config.model, config.revision, config.max_tokens]
    keys = [content_key([which, list(block)]) for block in blocks]
    missing = {key: block for key, block in zip(keys, blocks, strict=True) if key not in _CACHE}
    vectors = {key: _CACHE[key] for key in keys if key in _CACHE}
    if missing:
        vectors |= zip(missing, _encoded(config, list(missing.values()), progress), strict=True)
    for key in keys:
        _CACHE[key] = vectors[key]
        _CACHE.move_to_end(key)
    while len(_CACHE) > _CACHED:
        _CACHE.popitem(last=False)
    return np.concatenate([vectors[key] for key in keys]) if keys else np.zeros((0, 1), dtype=np.float32)


def _encoded(config: EncoderClassifier, blocks: Sequence[Sequence[str]], progress: Progress) -> Iterator[np.ndarray]:
    """The vectors of each block, shape (texts, dimensions)."""
    device = device_of(config.device)
    with loading(config.model, _HINT):
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
    with progress.task(f"encoding {count:,} texts", count) as advance, quiet(), batches.memory():
        encode = partial(_tokens, tokenizer, limit)
        yield from batches.outputs(blocks, encode, forward, tokens, device, advance)


def _tokens(tokenizer: Any, limit: int, texts: Sequence[str]) -> batches.Encoded:
    return batches.encoded(tokenizer, [list(texts)], limit)
