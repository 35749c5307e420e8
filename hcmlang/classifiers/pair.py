"""Two classifiers that answer together: where the one before and the one after mitigation disagree, neither is sure."""

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


class Pair:
    """Two classifiers; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, before: Classifier, after: Classifier) -> None:
        self._before = before
        self._after = after

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return pooled(self._before.predict_proba(table, progress), self._after.predict_proba(table, progress))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self._after.embed(table, progress)

    def save(self, folder: Path) -> None:
        """The later classifier as if it were alone, the earlier one in a folder beside its files."""
        self._after.save(folder)
        (folder / _BEFORE).mkdir()
        self._before.save(folder / _BEFORE)


def pooled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The logarithmic opinion pool of two classifiers' probabilities, with equal weights: the geometric mean of both, made to
    sum to one (Genest and Zidek 1986). Float32, same shape."""
    mean = np.log(np.clip(first, _SMALLEST, None)).astype(np.float64) + np.log(np.clip(second, _SMALLEST, None))
    powers = np.exp((mean - mean.max(axis=1, keepdims=True)) / 2)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def is_pair(folder: Path) -> bool:
    """Whether :meth:`Pair.save` wrote a folder."""
    return (folder / _BEFORE).is_dir()


def load(folder: Path, one: Callable[[Path], Classifier]) -> Pair:
    """A pair that :meth:`Pair.save` wrote; `one` loads a classifier."""
    return Pair(one(folder / _BEFORE), one(folder))
