"""The classifier `bayes`."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hcmlang.progress import SILENT, Progress
from hcmlang.spec.kinds import ClassifierKind

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.data.table import Table


class BayesClassifier(ClassifierKind):
    """Counts words, and trains a naive Bayes classifier (scikit-learn)."""

    saved_as = "bayes.pickle"

    kind: Literal["bayes"]
    """The naive Bayes classifier."""
    smoothing: float = 1.0
    """What is added to every count."""

    def fit(
        self,
        table: Table,
        *,
        seed: int,
        weights: np.ndarray | None = None,
        start: Path | None = None,
        progress: Progress = SILENT,
    ) -> Bayes:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.naive_bayes import MultinomialNB

        counts = CountVectorizer(ngram_range=(1, 2)).fit(table.joined())
        model = MultinomialNB(alpha=self.smoothing).fit(counts.transform(table.joined()), table.y, weights)
        return Bayes(counts, model)

    def load(self, folder: Path, labels: Sequence[str]) -> Bayes:
        return self.open_model(folder)

    @classmethod
    def open_model(cls, folder: Path) -> Any:
        return Bayes(*pickle.loads((folder / cls.saved_as).read_bytes()))


class Bayes:
    """A trained classifier."""

    def __init__(self, counts: Any, model: Any) -> None:
        self.counts, self.model = counts, model

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self.model.predict_proba(self.counts.transform(table.joined())).astype("float32")

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self.predict_proba(table)

    def save(self, folder: Path) -> None:
        (folder / BayesClassifier.saved_as).write_bytes(pickle.dumps((self.counts, self.model)))
