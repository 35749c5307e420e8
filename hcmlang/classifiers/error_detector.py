"""An error detector beside a classifier: it keeps every prediction and lowers confidence where mistakes are likely.

The detector is a logistic regression of whether a prediction is right. Its features are the words of the text, crossed with
the predicted label, and the classifier's own confidence. Instances of a blind spot that got the wrong label teach it that
such words with such a prediction mean a mistake. (Error detectors on what a classifier sees: Corbière et al. 2019; this one
is linear, because a blind spot gives few examples.)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hcmlang.classifiers import logistic
from hcmlang.classifiers.tfidf import new_vectorizer, saved_vectorizer
from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress

if TYPE_CHECKING:
    from hcmlang.classifiers.base import Classifier

_STEM = "guard"
#: Inverse strengths of the penalty; the best on held-out folds is used.
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_FOLDS = 5
_SMALLEST = 1e-6


class ErrorDetector:
    """A trained detector."""

    def __init__(self, vectorizer: Any, coefficients: np.ndarray, intercept: float) -> None:
        self._vectorizer = vectorizer
        self._coefficients = coefficients
        self._intercept = intercept

    def right(self, table: Table, scores: np.ndarray) -> np.ndarray:
        """The probability that each prediction is right, float64, shape (rows,)."""
        z = _features(self._vectorizer, table, scores) @ self._coefficients + self._intercept
        return np.asarray(1 / (1 + np.exp(-z)))

    def guarded(self, table: Table, scores: np.ndarray) -> np.ndarray:
        """A classifier's probabilities, moved towards equal ones by the probability that the prediction is wrong. The order
        of the labels of each row stays the same."""
        right = self.right(table, scores)[:, None]
        return np.asarray(right * scores + (1 - right) / scores.shape[1], dtype=np.float32)

    def save(self, folder: Path) -> None:
        names = {"vocabulary": sorted(self._vectorizer.vocabulary_)}
        arrays = {"idf": self._vectorizer.idf_, "coefficients": self._coefficients, "intercept": [self._intercept]}
        logistic.write(folder, _STEM, names, arrays)


class GuardedClassifier:
    """A classifier with an error detector; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, classifier: Classifier, detector: ErrorDetector) -> None:
        self._classifier = classifier
        self._detector = detector

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        scores = self._classifier.predict_proba(table, progress)
        return self._detector.guarded(table, scores) if len(table) else scores

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return self._classifier.embed(table, progress)

    def save(self, folder: Path) -> None:
        self._classifier.save(folder)
        self._detector.save(folder)


def fit(table: Table, scores: np.ndarray, seed: int) -> ErrorDetector | None:
    """Fit a detector on rows that the classifier was not trained on.

    Args:
        scores: The classifier's probabilities of the rows, shape (rows, labels).

    Returns:
        None if too few predictions are wrong, or too few are right, to learn from.
    """
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
    return ErrorDetector(vectorizer, best.coef_[0], float(best.intercept_[0]))


def is_saved(folder: Path) -> bool:
    """Whether a detector was saved in the folder."""
    return (folder / f"{_STEM}.json").is_file()


def load(folder: Path) -> ErrorDetector:
    """A detector that :meth:`ErrorDetector.save` wrote."""

    def build(names: dict[str, Any], arrays: dict[str, np.ndarray]) -> ErrorDetector:
        vectorizer = saved_vectorizer(names["vocabulary"], arrays["idf"])
        return ErrorDetector(vectorizer, arrays["coefficients"], float(arrays["intercept"][0]))

    return logistic.read(folder, _STEM, build)


def _features(vectorizer: Any, table: Table, scores: np.ndarray) -> Any:
    """The TF-IDF weights in the block of the predicted label, the predicted label, and the log-odds of the confidence."""
    from scipy.sparse import csr_matrix, diags, hstack

    words = vectorizer.transform(table.texts())
    predicted, labels = scores.argmax(axis=1), scores.shape[1]
    blocks = [diags((predicted == label).astype(np.float64)) @ words for label in range(labels)]
    confidence = np.clip(scores.max(axis=1), _SMALLEST, 1 - _SMALLEST).astype(np.float64)
    about = np.column_stack([np.log(confidence / (1 - confidence)), np.eye(labels)[predicted]])
    return hstack([*blocks, csr_matrix(about)], format="csr")
