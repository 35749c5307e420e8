"""The protocol of classifiers: what the loop needs of a model under repair; and what is said when one does not load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic
from hcmlang.progress import SILENT, Progress


class Classifier(Protocol):
    """A trained classifier."""

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """Probabilities of the task's labels, float32, shape (rows, labels); gold labels are not looked at."""

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        """A vector for each row, float32, shape (rows, dimensions), for grouping."""

    def save(self, folder: Path) -> None:
        """Write the model into an existing, empty folder, in its library's own layout."""


LOAD_HINT = "remove the folder, so that the next run trains the model anew"


def not_loaded(name: str | Path, error: Exception, hint: str) -> Diagnostic:
    """A model, by its folder or hub id, that a library cannot load."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return Diagnostic("model-not-loaded", f"cannot load the model {name}: {reason}", hint=hint)


def wrong_labels(known: Iterable[str], wanted: Iterable[str]) -> Diagnostic:
    """A saved model that tells other labels apart than the task has."""
    message = f"the model's labels are {', '.join(known)}; the task's are {', '.join(wanted)}"
    return Diagnostic("wrong-labels", message, hint="train it anew, with `mitigate: {from: scratch}`")
