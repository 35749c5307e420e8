"""The classifier `linear`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hcmlang.progress import SILENT, Progress
from hcmlang.spec.kinds import ClassifierKind

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.classifiers.base import Classifier
    from hcmlang.data.table import Table


class LinearClassifier(ClassifierKind):
    """TF-IDF over word 1-grams and 2-grams with logistic regression (scikit-learn). Trains in seconds."""

    saved_as = "linear.json"

    kind: Literal["linear"]
    """The scikit-learn classifier."""
    regularization: Annotated[float, Field(gt=0)] = 10.0
    """Inverse strength of the L2 penalty (scikit-learn's `C`): larger values fit the train rows more closely."""

    def fit(
        self,
        table: Table,
        *,
        seed: int,
        weights: np.ndarray | None = None,
        start: Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        from hcmlang.classifiers import tfidf

        return tfidf.fit(table, self.regularization, weights, start, progress)

    def load(self, folder: Path, labels: Sequence[str]) -> Classifier:
        from hcmlang.classifiers import tfidf

        return tfidf.load(folder).ordered(tuple(labels))

    @classmethod
    def open_model(cls, folder: Path) -> Any:
        from hcmlang.classifiers import tfidf

        return tfidf.load(folder)
