"""The classifier before mitigation and the one after it, combined: where they disagree, the confidence is low."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress

if TYPE_CHECKING:
    from hcmlang.classifiers.base import Classifier

_BEFORE = "before"
_SMALLEST = 1e-7


class Ensemble:
    """Two classifiers; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, before: Classifier, after: Classifier) -> None:
        self._before = before
        self._after = after

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return pooled(self._before.predict_proba(table, progress), self._after.predict_proba(table, progress))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self._after.embed(table, progress)

    def save(self, folder: Path) -> None:
        """Save the later classifier as usual, and the earlier one in a folder beside its files."""
        self._after.save(folder)
        (folder / _BEFORE).mkdir()
        self._before.save(folder / _BEFORE)


def pooled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The logarithmic opinion pool of two classifiers' probabilities with equal weights: their geometric mean, scaled to sum
    to one (Genest and Zidek 1986). Float32, same shape."""
    mean = np.log(np.clip(first, _SMALLEST, None)).astype(np.float64) + np.log(np.clip(second, _SMALLEST, None))
    powers = np.exp((mean - mean.max(axis=1, keepdims=True)) / 2)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def is_ensemble(folder: Path) -> bool:
    """Whether :meth:`Ensemble.save` wrote a folder."""
    return (folder / _BEFORE).is_dir()


def load(folder: Path, load_one: Callable[[Path], Classifier]) -> Ensemble:
    """An ensemble that :meth:`Ensemble.save` wrote."""
    return Ensemble(load_one(folder / _BEFORE), load_one(folder))
