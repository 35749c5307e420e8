"""The protocol of classifiers: what the loop needs of a model under repair."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress


class Classifier(Protocol):
    """A trained classifier."""

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """Probabilities of the task's labels, float32, shape (rows, labels); gold labels are not looked at."""

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """A vector for each row, float32, shape (rows, dimensions), for grouping."""

    def save(self, folder: Path) -> None:
        """Write the model into an existing, empty folder, in its library's own layout."""
