"""Classifiers: the models under repair. Each kind is a :class:`hcmlang.spec.kinds.ClassifierKind` in its own module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.kinds import CLASSIFIERS, ClassifierKind

if TYPE_CHECKING:
    import numpy as np

    from hcmlang.classifiers.base import Classifier
    from hcmlang.data.table import Table


def fit(
    kind: ClassifierKind,
    table: Table,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> Classifier:
    """Train a classifier; see :meth:`ClassifierKind.fit`. Raises :class:`DiagnosticError` if all rows have one label."""
    if len(set(table.y.tolist())) < 2:
        message = f"all {len(table):,} train rows have the label `{table.labels[table.y[0]]}`"
        raise DiagnosticError(Diagnostic("one-label", message, hint="a classifier needs rows of at least two labels"))
    return kind.fit(table, seed=seed, weights=weights, start=start, progress=progress)


def load(kind: ClassifierKind, folder: Path, labels: Sequence[str]) -> Classifier:
    """Load a saved classifier, together with the error detector or the second classifier saved beside it."""
    from hcmlang.classifiers import ensemble, error_detector

    if ensemble.is_ensemble(folder):
        return ensemble.load(folder, lambda own: kind.load(own, labels))
    classifier = kind.load(folder, labels)
    if error_detector.is_saved(folder):
        return error_detector.GuardedClassifier(classifier, error_detector.load(folder))
    return classifier


def open_model(folder: Path) -> Any:
    """A saved model as an object of its library, such as transformers' `AutoModelForSequenceClassification`.

    Raises :class:`DiagnosticError` if no kind recognises the folder.
    """
    kind = next((kind for kind in CLASSIFIERS.values() if kind.recognises(folder)), None)
    if kind is None:
        raise DiagnosticError(Diagnostic("model-not-loaded", f"{folder} does not hold a saved classifier"))
    return kind.open_model(folder)
