"""The protocol of trained classifiers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic
from hcmlang.progress import SILENT, Progress


class Classifier(Protocol):
    """A trained classifier. Tables may have no rows."""

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """Probabilities of the task's labels, float32, shape (rows, labels). The labels of the table are not used."""

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """A vector for each row, float32, shape (rows, dimensions), for grouping."""

    def save(self, folder: Path) -> None:
        """Write the model into an existing, empty folder, in its library's own layout."""


LOAD_HINT = "remove the folder, so that the next run trains the model again"


def wrong_labels(saved: Iterable[str], wanted: Iterable[str]) -> Diagnostic:
    """The diagnostic for a saved model whose labels differ from the task's."""
    message = f"the model's labels are {', '.join(saved)}; the task's are {', '.join(wanted)}"
    return Diagnostic("wrong-labels", message, hint="train a new model, with `mitigate: {from: scratch}`")
