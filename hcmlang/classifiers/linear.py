"""TF-IDF and logistic regression: a classifier that trains in seconds.

Features of a text are its word 1-grams and 2-grams. Features of a pair are those of each text, told apart, and of every
word whether both texts have it or only one; a linear model of the texts alone could not see what they share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hcmlang.classifiers.base import LOAD_HINT, not_loaded, wrong_labels
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import LinearClassifier

_CONFIG = "linear.json"
_WEIGHTS = "linear.safetensors"
#: Words, with contractions as one word (`don't`) or as they are split in treebanks (`n't`, `'s`).
_WORD = re.compile(r"\w+(?:['’]\w+)?|['’]\w+")
_DIMENSIONS = 100
#: Rows whose features are in memory together.
_BLOCK = 16_384


def features(row: Sequence[str]) -> list[str]:
    """The features of a text or a pair, in any number, repeated as often as they occur."""
    found = []
    texts = [_WORD.findall(text.lower()) for text in row]
    for number, words in enumerate(texts):
        mark = f"{number}:" if len(texts) > 1 else ""
        found += [mark + word for word in words]
        found += [f"{mark}{a} {b}" for a, b in pairwise(words)]
    if len(texts) == 2:
        first, second = set(texts[0]), set(texts[1])
        shared = len(first & second) / max(1, len(first | second))
        found += [f"both:{word}" for word in sorted(first & second)]
        found += [f"first:{word}" for word in sorted(first - second)]
        found += [f"second:{word}" for word in sorted(second - first)]
        # The share of common words as steps that add up, so that more overlap can weigh more.
        found += [f"overlap>={step}" for step in range(1, 11) if shared >= step / 10]
    return found


class Linear:
    """A trained classifier; see :class:`hcmlang.classifiers.base.Classifier`."""

    def __init__(self, labels: tuple[str, ...], vectorizer: Any, model: Any) -> None:
        self.labels = labels
        self._vectorizer = vectorizer
        self._model = model

    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        scores = np.zeros((len(table), len(self.labels)), dtype=np.float32)
        if len(table):
            with progress.task(f"predicting {len(table):,} rows", len(table)) as advance:
                begin = 0
                for block in table.blocks(_BLOCK):
                    features = self._vectorizer.transform(block.texts())
                    scores[begin : begin + len(block), self._model.classes_] = self._model.predict_proba(features)
                    begin += len(block)
                    advance(len(block))
        return scores

    def ordered(self, labels: tuple[str, ...]) -> Linear:
        """The same classifier with its probabilities in the order of `labels`."""
        if set(labels) != set(self.labels):
            raise DiagnosticError(wrong_labels(self.labels, labels))
        classes = np.array([labels.index(self.labels[number]) for number in self._model.classes_], dtype=np.int64)
        order = np.argsort(classes)
        coef, intercept = self._model.coef_, self._model.intercept_
        # scikit-learn wants classes in ascending order; of two it keeps the coefficients of the second alone.
        if len(coef) == len(order):
            coef, intercept = coef[order], intercept[order]
        elif order[0] == 1:
            coef, intercept = -coef, -intercept
        return Linear(labels, self._vectorizer, _model(classes[order], coef, intercept))

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        from sklearn.decomposition import TruncatedSVD

        if not len(table):
            return np.zeros((0, 1), dtype=np.float32)
        matrix = self._vectorizer.transform(table.texts())
        size = min(_DIMENSIONS, matrix.shape[0] - 1, matrix.shape[1] - 1)
        if size < 2:
            return np.asarray(matrix.toarray(), dtype=np.float32)
        return np.asarray(TruncatedSVD(size, random_state=0).fit_transform(matrix), dtype=np.float32)

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        config = {"labels": list(self.labels), "vocabulary": sorted(self._vectorizer.vocabulary_)}
        (folder / _CONFIG).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        arrays = {
            "idf": np.ascontiguousarray(self._vectorizer.idf_, dtype=np.float64),
            "coef": np.ascontiguousarray(self._model.coef_, dtype=np.float64),
            "intercept": np.ascontiguousarray(self._model.intercept_, dtype=np.float64),
            "classes": np.ascontiguousarray(self._model.classes_, dtype=np.int64),
        }
        save_file(arrays, folder / _WEIGHTS)


def fit(
    config: LinearClassifier,
    table: Table,
    *,
    weights: np.ndarray | None = None,
    start: Path | None = None,
    progress: Progress = SILENT,
) -> Linear:
    """Train. From a checkpoint (`start`) the features stay as they were and the search begins at its coefficients;
    the problem is convex, so only the frozen features make a difference."""
    from sklearn.linear_model import LogisticRegression

    begin = load(start).ordered(table.labels) if start is not None else None
    with progress.task(f"training on {len(table):,} rows"):
        vectorizer = begin._vectorizer if begin else new_vectorizer()
        if begin is None:
            try:
                vectorizer.fit(table.texts())
            except ValueError as error:  # an empty vocabulary
                hint = "a text needs letters or digits; see that `task.text` names the right column"
                raise DiagnosticError(Diagnostic("no-words", "the train texts hold no word", hint=hint)) from error
        model = LogisticRegression(C=config.regularization, max_iter=2000, warm_start=begin is not None)
        if begin is not None and set(begin._model.classes_) == set(table.y):
            model.classes_, model.coef_ = begin._model.classes_, begin._model.coef_
            model.intercept_ = begin._model.intercept_
        model.fit(vectorizer.transform(table.texts()), table.y, sample_weight=weights)
    return Linear(table.labels, vectorizer, model)


def is_linear(folder: Path) -> bool:
    """Whether the folder holds a classifier of this kind."""
    return (folder / _CONFIG).is_file()


def load(folder: Path) -> Linear:
    """A classifier that :meth:`Linear.save` wrote."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config, arrays = json.loads((folder / _CONFIG).read_text(encoding="utf-8")), load_file(folder / _WEIGHTS)
        vectorizer = new_vectorizer({word: number for number, word in enumerate(config["vocabulary"])})
        vectorizer.idf_ = arrays["idf"]
        model = _model(arrays["classes"], arrays["coef"], arrays["intercept"])
        return Linear(tuple(config["labels"]), vectorizer, model)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DiagnosticError(not_loaded(folder, error, LOAD_HINT)) from error


def _model(classes: np.ndarray, coef: np.ndarray, intercept: np.ndarray) -> Any:
    """A fitted logistic regression, from what it had learned."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = classes, coef, intercept
    return model


def new_vectorizer(vocabulary: dict[str, int] | None = None) -> Any:
    """TF-IDF over :func:`features`, yet to be fitted where no vocabulary is given."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=features, sublinear_tf=True, vocabulary=vocabulary)
