"""Classifiers: the models under repair, behind one small protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang.classifiers.base import Classifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import ClassifierConfig, EncoderClassifier, LinearClassifier

__all__ = ["Classifier", "fit", "load", "open_model"]


def fit(
    config: ClassifierConfig,
    table: Table,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> Classifier:
    """Train a classifier on a table.

    `weights` are each row's weight in the loss, float32, shape (rows,); `start` is the folder of a saved classifier to
    go on from. The same seed and rows give the same model on a CPU. Raises :class:`DiagnosticError` for what the user
    can mend: a model that does not load, a device that is not there, memory that does not suffice.
    """
    if len(np.unique(table.y)) < 2:
        message = f"all {len(table):,} train rows have the label `{table.labels[table.y[0]]}`"
        raise DiagnosticError(Diagnostic("one-label", message, hint="a classifier needs rows of two labels at least"))
    if isinstance(config, LinearClassifier):
        from hcmlang.classifiers import linear

        return linear.fit(config, table, weights=weights, start=start, progress=progress)
    if isinstance(config, EncoderClassifier):
        from hcmlang.classifiers import encoder

        return encoder.fit(config, table, weights=weights, progress=progress)
    if config.launch is not None:
        from hcmlang.classifiers import launch

        return launch.fit(config, table, config.launch, seed=seed, weights=weights, start=start, progress=progress)
    from hcmlang.classifiers import transformer

    return transformer.fit(config, table, seed=seed, weights=weights, start=start, progress=progress)


def load(config: ClassifierConfig, folder: Path, labels: Sequence[str]) -> Classifier:
    """A classifier that `save` wrote, with its guard or its partner where it has one; its probabilities come in the order of
    `labels`."""
    from hcmlang.classifiers import guard, pair

    if pair.is_pair(folder):
        return pair.load(folder, lambda own: _load_one(config, own, labels))
    if guard.is_guarded(folder):
        return guard.Guarded(_load_one(config, folder, labels), guard.load(folder))
    return _load_one(config, folder, labels)


def _load_one(config: ClassifierConfig, folder: Path, labels: Sequence[str]) -> Classifier:
    if isinstance(config, LinearClassifier):
        from hcmlang.classifiers import linear

        return linear.load(folder).ordered(tuple(labels))
    if isinstance(config, EncoderClassifier):
        from hcmlang.classifiers import encoder

        return encoder.load(config, folder, tuple(labels))
    from hcmlang.classifiers import transformer

    return transformer.load(config, folder, tuple(labels))


def open_model(folder: Path) -> Any:
    """A saved model as its library's own class: `AutoModelForSequenceClassification`, or our own of another kind."""
    from hcmlang.classifiers import linear

    if linear.is_linear(folder):
        return linear.load(folder)
    from hcmlang.classifiers import encoder, transformer

    if encoder.is_encoder(folder):
        return encoder.load(None, folder)
    return transformer.open_model(folder)
