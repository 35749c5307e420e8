"""An error detector beside a classifier: it leaves every prediction as it is, and lowers confidence where mistakes are likely.

The detector is a logistic regression of whether the prediction is right, on the words of the text, told apart by the predicted
label, and on the classifier's own confidence. That instances of a blind spot got the wrong label teaches it that such words
under such a prediction mean a mistake. (Error detectors on what a classifier sees: Corbière et al. 2019; here a linear one, as
a blind spot gives few examples.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hcmlang.classifiers.base import LOAD_HINT, not_loaded
from hcmlang.classifiers.linear import new_vectorizer
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.progress import SILENT, Progress

if TYPE_CHECKING:
    from hcmlang.classifiers.base import Classifier

_CONFIG = "guard.json"
_WEIGHTS = "guard.safetensors"
#: Inverse strengths of the penalty that are tried; the best on held-out folds is taken.
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_FOLDS = 5
_SMALLEST = 1e-6


class Guard:
    """A trained detector."""

    def __init__(self, vectorizer: Any, coefficients: np.ndarray, intercept: float) -> None:
        self._vectorizer = vectorizer
        self._coefficients = coefficients
        self._intercept = intercept

    def right(self, table: Table, scores: np.ndarray) -> np.ndarray:
        """The chance that each prediction is right, float64, shape (rows,)."""
        z = _features(self._vectorizer, table, scores) @ self._coefficients + self._intercept
        return np.asarray(1 / (1 + np.exp(-z)))

    def guarded(self, table: Table, scores: np.ndarray) -> np.ndarray:
        """The probabilities `scores` of a classifier, drawn towards equal ones by as much as the prediction is likely to be
        wrong; the order of the labels of each row stays."""
        right = self.right(table, scores)[:, None]
        return np.asarray(right * scores + (1 - right) / scores.shape[1], dtype=np.float32)

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        config = {"vocabulary": sorted(self._vectorizer.vocabulary_)}
        (folder / _CONFIG).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        arrays = {
            "idf": np.ascontiguousarray(self._vectorizer.idf_, dtype=np.float64),
            "coefficients": np.ascontiguousarray(self._coefficients, dtype=np.float64),
            "intercept": np.array([self._intercept], dtype=np.float64),
        }
        save_file(arrays, folder / _WEIGHTS)


class Guarded:
    """A classifier with a guard; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, classifier: Classifier, guard: Guard) -> None:
        self._classifier = classifier
        self._guard = guard

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        scores = self._classifier.predict_proba(table, progress)
        return self._guard.guarded(table, scores) if len(table) else scores

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self._classifier.embed(table, progress)

    def save(self, folder: Path) -> None:
        self._classifier.save(folder)
        self._guard.save(folder)


def fit(table: Table, scores: np.ndarray, seed: int) -> Guard | None:
    """A detector from rows and what the classifier says of them, not having been trained on them: probabilities, shape
    (rows, labels). None where all predictions are right, or too few are wrong to learn from."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    right = scores.argmax(axis=1) == table.y
    if min(right.sum(), (~right).sum()) < _FOLDS:
        return None
    vectorizer = new_vectorizer()
    vectorizer.fit(table.texts())
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed % 2**32)
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": _STRENGTHS}, scoring="neg_log_loss", cv=folds)
    best = search.fit(_features(vectorizer, table, scores), right).best_estimator_
    return Guard(vectorizer, best.coef_[0], float(best.intercept_[0]))


def is_guarded(folder: Path) -> bool:
    """Whether there is a guard beside the classifier in a folder."""
    return (folder / _CONFIG).is_file()


def load(folder: Path) -> Guard:
    """A detector that :meth:`Guard.save` wrote."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config, arrays = json.loads((folder / _CONFIG).read_text(encoding="utf-8")), load_file(folder / _WEIGHTS)
        vectorizer = new_vectorizer({word: number for number, word in enumerate(config["vocabulary"])})
        vectorizer.idf_ = arrays["idf"]
        return Guard(vectorizer, arrays["coefficients"], float(arrays["intercept"][0]))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DiagnosticError(not_loaded(folder, error, LOAD_HINT)) from error


def _features(vectorizer: Any, table: Table, scores: np.ndarray) -> Any:
    """For each row its words' weights in the block of the predicted label, that label, and the log-odds of the confidence."""
    from scipy.sparse import csr_matrix, diags, hstack

    words = vectorizer.transform(table.texts())
    predicted, labels = scores.argmax(axis=1), scores.shape[1]
    blocks = [diags((predicted == label).astype(np.float64)) @ words for label in range(labels)]
    confidence = np.clip(scores.max(axis=1), _SMALLEST, 1 - _SMALLEST).astype(np.float64)
    about = np.column_stack([np.log(confidence / (1 - confidence)), np.eye(labels)[predicted]])
    return hstack([*blocks, csr_matrix(about)], format="csr")
