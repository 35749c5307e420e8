"""The predictions of a classifier on a set of rows, and how many of the confident ones are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

#: Rows that are searched at once, so that a large pool needs little memory.
_BLOCK = 1 << 20
Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities, shape (rows, labels), and the gold classes, shape (rows,).

    The prediction is the most probable label (the first of several), and confidence is its probability.
    """

    scores: np.ndarray
    gold: np.ndarray

    @cached_property
    def confidence(self) -> np.ndarray:
        """float64, shape (rows,)."""
        return np.asarray(self.scores.max(axis=1).astype(np.float64))

    @cached_property
    def wrong(self) -> np.ndarray:
        """bool, shape (rows,)."""
        return np.asarray(self.scores.argmax(axis=1) != self.gold)

    def __len__(self) -> int:
        return len(self.gold)

    def of(self, rows: np.ndarray) -> Predictions:
        """The predictions of some rows, given as a mask or as numbers."""
        return Predictions(self.scores[rows], self.gold[rows])


def at_least(confidence: np.ndarray, tau: float) -> np.ndarray:
    """Which confidences reach tau. Scores are single precision, so the threshold is rounded as they are: a probability
    of 0.9 in the model is not below a threshold of 0.9 in the spec."""
    reached: np.ndarray = confidence >= np.float32(tau)
    return reached


def confident_errors(scores: np.ndarray, gold: np.ndarray, confidence: float) -> np.ndarray:
    """The numbers of the rows whose prediction is wrong with at least this confidence, int64, the most confident first
    (ties: by row). `scores` are probabilities, shape (rows, labels); `gold` the classes, shape (rows,)."""
    blocks = [np.zeros(0, dtype=np.int64)]
    for begin in range(0, len(scores), _BLOCK):
        block = Predictions(scores[begin : begin + _BLOCK], gold[begin : begin + _BLOCK])
        blocks.append(begin + np.flatnonzero(block.wrong & at_least(block.confidence, confidence)))
    rows = np.concatenate(blocks)
    return rows[np.lexsort((rows, -scores[rows].max(axis=1, initial=0)))]


def kept(predictions: Predictions, tau: float) -> int:
    """The number of predictions with confidence >= tau."""
    return int(at_least(predictions.confidence, tau).sum())


def hcms(predictions: Predictions, tau: float) -> int:
    """The number of high-confidence misclassifications: wrong predictions with confidence >= tau."""
    return int((predictions.wrong & at_least(predictions.confidence, tau)).sum())


def mistakes_kept(predictions: Predictions, count: Number) -> Number:
    """Expected number of wrong predictions among the `count` most confident ones; an array of counts gives an array.

    Rows of equal confidence are in random order: a part of a block of them holds its share of the block's mistakes. A
    fraction of a row counts as that fraction, so that the number is a continuous function of `count`.
    """
    ends, mistakes = _blocks(predictions)
    expected = np.interp(count, ends, mistakes)
    return np.asarray(expected) if isinstance(count, np.ndarray) else float(expected)


def _blocks(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Rows and mistakes up to the end of each block of equal confidence, from (0, 0), the most confident first."""
    order = np.argsort(-predictions.confidence, kind="stable")
    last = np.flatnonzero(np.diff(predictions.confidence[order], append=-1.0))
    mistakes = np.cumsum(predictions.wrong[order])[last]
    return np.concatenate([[0], last + 1]), np.concatenate([[0], mistakes])


def most_confident(predictions: Predictions, count: int) -> np.ndarray:
    """Which rows are the `count` most confident ones, bool; the first of equals."""
    chosen = np.zeros(len(predictions), dtype=bool)
    chosen[np.argsort(-predictions.confidence, kind="stable")[:count]] = True
    return chosen


def matched_mistakes(predictions: Predictions, baseline: Predictions, tau: float) -> float:
    """HCMs at matched coverage: mistakes among as many of the most confident predictions as the baseline (of the same
    seed, on the same rows) makes with confidence >= tau. Lower confidence alone does not lower this number."""
    return mistakes_kept(predictions, kept(baseline, tau))


def risk_coverage(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Coverage k/n and risk (expected share of mistakes among the k most confident) for k = 1..n (El-Yaniv and Wiener
    2010)."""
    counts = np.arange(1, len(predictions) + 1)
    ends, mistakes = _blocks(predictions)
    return counts / len(predictions), np.interp(counts, ends, mistakes) / counts


def area_under_risk_coverage(predictions: Predictions) -> float:
    """Mean risk over all coverages k/n (AURC: Geifman, Uziel and El-Yaniv 2019)."""
    return float(risk_coverage(predictions)[1].mean())
