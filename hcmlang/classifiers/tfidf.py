"""TF-IDF and logistic regression.

The features of a text are its word 1-grams and 2-grams. The features of a pair are those of each text, marked by position,
and for every word whether both texts have it or only one: a linear model of the texts alone cannot see what they share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang.classifiers import logistic
from hcmlang.classifiers.base import wrong_labels
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress

_STEM = "linear"
#: Words, with contractions as one word (`don't`) or as treebanks split them (`n't`, `'s`).
_WORD = re.compile(r"\w+(?:['’]\w+)?|['’]\w+")
_DIMENSIONS = 100
#: Rows whose features are in memory together.
_BLOCK = 16_384


def features(row: Sequence[str]) -> list[str]:
    """The features of a text or a pair, repeated as often as they occur."""
    names = []
    texts = [_WORD.findall(text.lower()) for text in row]
    for number, words in enumerate(texts):
        mark = f"{number}:" if len(texts) > 1 else ""
        names += [mark + word for word in words]
        names += [f"{mark}{a} {b}" for a, b in pairwise(words)]
    if len(texts) == 2:
        first, second = set(texts[0]), set(texts[1])
        shared = len(first & second) / max(1, len(first | second))
        names += [f"both:{word}" for word in sorted(first & second)]
        names += [f"first:{word}" for word in sorted(first - second)]
        names += [f"second:{word}" for word in sorted(second - first)]
        # The share of common words as steps that add up, so that more overlap can have more weight.
        names += [f"overlap>={step}" for step in range(1, 11) if shared >= step / 10]
    return names


def new_vectorizer() -> Any:
    """An unfitted TF-IDF over :func:`features`."""
    return _vectorizer(None)


def saved_vectorizer(vocabulary: Sequence[str], idf: np.ndarray) -> Any:
    """A TF-IDF with a known vocabulary."""
    vectorizer = _vectorizer({word: number for number, word in enumerate(vocabulary)})
    vectorizer.idf_ = idf
    return vectorizer


def _vectorizer(vocabulary: dict[str, int] | None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=features, sublinear_tf=True, vocabulary=vocabulary)


class LinearModel:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, labels: tuple[str, ...], vectorizer: Any, model: Any) -> None:
        self.labels = labels
        self.vectorizer = vectorizer
        self.model = model

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        parts = [np.zeros((0, len(self.labels)), dtype=np.float32)]
        with progress.task(f"predicting {len(table):,} rows", len(table)) as advance:
            for block in table.blocks(_BLOCK):
                matrix = self.vectorizer.transform(block.texts())
                parts.append(logistic.probabilities(self.model, matrix, len(self.labels)))
                advance(len(block))
        return np.concatenate(parts)

    def ordered(self, labels: tuple[str, ...]) -> LinearModel:
        """The same classifier with its probabilities in the order of `labels`."""
        if set(labels) != set(self.labels):
            raise DiagnosticError(wrong_labels(self.labels, labels))
        classes = np.array([labels.index(self.labels[number]) for number in self.model.classes_], dtype=np.int64)
        order = np.argsort(classes)
        coef, intercept = self.model.coef_, self.model.intercept_
        # scikit-learn needs ascending classes, and for two classes keeps only the coefficients of the second.
        if len(coef) == len(order):
            coef, intercept = coef[order], intercept[order]
        elif order[0] == 1:
            coef, intercept = -coef, -intercept
        arrays = {"classes": classes[order], "coef": coef, "intercept": intercept}
        return LinearModel(labels, self.vectorizer, logistic.restored(arrays))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        from sklearn.decomposition import TruncatedSVD

        if not len(table):
            return np.zeros((0, 1), dtype=np.float32)
        matrix = self.vectorizer.transform(table.texts())
        size = min(_DIMENSIONS, matrix.shape[0] - 1, matrix.shape[1] - 1)
        if size < 2:
            return np.asarray(matrix.toarray(), dtype=np.float32)
        return np.asarray(TruncatedSVD(size, random_state=0).fit_transform(matrix), dtype=np.float32)

    def save(self, folder: Path) -> None:
        names = {"labels": list(self.labels), "vocabulary": sorted(self.vectorizer.vocabulary_)}
        logistic.write(folder, _STEM, names, {"idf": self.vectorizer.idf_, **logistic.learned(self.model)})


def fit(
    table: Table, regularization: float, weights: np.ndarray | None, start: Path | None, progress: Progress
) -> LinearModel:
    """Train. With `start`, the features of the saved classifier stay and the search begins at its coefficients; the problem
    is convex, so only the frozen features make a difference."""
    from sklearn.linear_model import LogisticRegression

    before = load(start).ordered(table.labels) if start is not None else None
    with progress.task(f"training on {len(table):,} rows"):
        vectorizer = before.vectorizer if before else new_vectorizer()
        if before is None:
            try:
                vectorizer.fit(table.texts())
            except ValueError as error:  # an empty vocabulary
                hint = "a text needs letters or digits; check that `task.text` names the right column"
                raise DiagnosticError(Diagnostic("no-words", "the train texts have no words", hint=hint)) from error
        model = LogisticRegression(C=regularization, max_iter=2000, warm_start=before is not None)
        if before is not None and set(before.model.classes_) == set(table.y):
            model.classes_, model.coef_ = before.model.classes_, before.model.coef_
            model.intercept_ = before.model.intercept_
        model.fit(vectorizer.transform(table.texts()), table.y, sample_weight=weights)
    return LinearModel(table.labels, vectorizer, model)


def load(folder: Path) -> LinearModel:
    """A classifier that :meth:`LinearModel.save` wrote."""

    def build(names: dict[str, Any], arrays: dict[str, np.ndarray]) -> LinearModel:
        vectorizer = saved_vectorizer(names["vocabulary"], arrays["idf"])
        return LinearModel(tuple(names["labels"]), vectorizer, logistic.restored(arrays))

    return logistic.read(folder, _STEM, build)
