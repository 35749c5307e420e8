"""How good predictions and their confidence are.

Everywhere `scores` are probabilities, shape (rows, labels), and `gold` the classes, shape (rows,). The prediction is
the most probable label (of several, the first), and confidence is its probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

#: Shares of predictions kept at which mistakes are counted, beside the matched one.
COVERAGES = (0.5, 0.7, 0.9)
_BINS = 15
Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True)
class Outcome:
    """What a classifier did on a set of rows: confidence (float64) and whether the prediction is wrong (bool)."""

    confidence: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, gold: np.ndarray) -> Outcome:
        return cls(scores.max(axis=1).astype(np.float64), scores.argmax(axis=1) != gold)

    def __len__(self) -> int:
        return len(self.wrong)


def at_least(confidence: np.ndarray, tau: float) -> np.ndarray:
    """Which confidences reach tau. Scores are single precision, so the threshold is rounded as they are: a probability
    of 0.9 in the model is not below a threshold of 0.9 in the spec."""
    reached: np.ndarray = confidence >= np.float32(tau)
    return reached


def kept(outcome: Outcome, tau: float) -> int:
    """Predictions with confidence >= tau."""
    return int(at_least(outcome.confidence, tau).sum())


def hcms(outcome: Outcome, tau: float) -> int:
    """High-confidence misclassifications: wrong predictions with confidence >= tau."""
    return int((outcome.wrong & at_least(outcome.confidence, tau)).sum())


def mistakes_kept(outcome: Outcome, count: Number) -> Number:
    """Expected number of wrong predictions among the `count` most confident ones; of several counts, for each.

    Rows of equal confidence are in random order: a part of such a block holds its share of the block's mistakes. A
    fraction of a row counts as that fraction, so that the number is a continuous function of `count`.
    """
    ends, mistakes = _blocks(outcome)
    expected = np.interp(count, ends, mistakes)
    return np.asarray(expected) if isinstance(count, np.ndarray) else float(expected)


def _blocks(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Rows and mistakes up to the end of each block of equal confidence, from (0, 0), the most confident first."""
    order = np.argsort(-outcome.confidence, kind="stable")
    last = np.flatnonzero(np.diff(outcome.confidence[order], append=-1.0))
    mistakes = np.cumsum(outcome.wrong[order])[last]
    return np.concatenate([[0], last + 1]), np.concatenate([[0], mistakes])


def most_confident(outcome: Outcome, count: int) -> np.ndarray:
    """Which rows are the `count` most confident ones, bool; of equals the first."""
    chosen = np.zeros(len(outcome), dtype=bool)
    chosen[np.argsort(-outcome.confidence, kind="stable")[:count]] = True
    return chosen


def matched_mistakes(outcome: Outcome, baseline: Outcome, tau: float) -> float:
    """HCMs at matched coverage: mistakes among as many of the most confident predictions as the baseline (of the same
    seed, on the same rows) makes with confidence >= tau. Lower confidence alone does not lower it."""
    return mistakes_kept(outcome, kept(baseline, tau))


def risk_coverage(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Coverage k/n and risk (expected share of mistakes among the k most confident) for k = 1..n (El-Yaniv and Wiener
    2010)."""
    counts = np.arange(1, len(outcome) + 1)
    ends, mistakes = _blocks(outcome)
    return counts / len(outcome), np.interp(counts, ends, mistakes) / counts


def area_under_risk_coverage(outcome: Outcome) -> float:
    """Mean risk over all coverages k/n (AURC: Geifman, Uziel and El-Yaniv 2019)."""
    return float(risk_coverage(outcome)[1].mean())


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(outcome: Outcome) -> list[Bin]:
    """The predictions in 15 bins of equal width; empty bins are left out."""
    edges = np.linspace(0, 1, _BINS + 1)
    # Edges rounded as the scores are, for the reason given in `at_least`.
    number = np.searchsorted(edges[1:-1].astype(np.float32).astype(np.float64), outcome.confidence, side="left")
    found = []
    for index in np.unique(number):
        inside = number == index
        accuracy = float(1 - outcome.wrong[inside].mean())
        mean = float(outcome.confidence[inside].mean())
        found.append(Bin(float(edges[index]), float(edges[index + 1]), int(inside.sum()), mean, accuracy))
    return found


def calibration_error(outcome: Outcome) -> float:
    """Expected calibration error: mean distance of accuracy and confidence over 15 bins of equal width, weighted by
    their rows (Guo et al. 2017)."""
    return sum(b.count * abs(b.accuracy - b.confidence) for b in reliability(outcome)) / len(outcome)


def adaptive_calibration_error(outcome: Outcome) -> float:
    """Expected calibration error over 15 bins with equally many rows each (Nguyen and O'Connor 2015), so that no bin is
    nearly empty and none holds nearly all."""
    order = np.argsort(outcome.confidence, kind="stable")
    total = 0.0
    for rows in np.array_split(order, min(_BINS, len(order))):
        total += abs((~outcome.wrong[rows]).sum() - outcome.confidence[rows].sum())
    return float(total / len(outcome))


def brier(scores: np.ndarray, gold: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, summed over labels (Brier 1950): 0 is best, 2 is worst."""
    truth = np.zeros(scores.shape)
    truth[np.arange(len(gold)), gold] = 1
    return float(((scores - truth) ** 2).sum(axis=1).mean())


def auroc(outcome: Outcome) -> float | None:
    """The chance that a right prediction is more confident than a wrong one, ties counting half (area under the ROC curve of
    confidence: Hendrycks and Gimpel 2017). None where all predictions are right, or all wrong."""
    from scipy.stats import rankdata

    wrong = int(outcome.wrong.sum())
    right = len(outcome) - wrong
    if not wrong or not right:
        return None
    ranks = rankdata(outcome.confidence)[~outcome.wrong].sum()
    return float((ranks - right * (right + 1) / 2) / (right * wrong))


def directions(scores: np.ndarray, gold: np.ndarray, labels: Sequence[str], tau: float) -> list[dict[str, Any]]:
    """HCMs at tau by gold and predicted label, for every pair of labels that has a gold row."""
    predicted, confident = scores.argmax(axis=1), at_least(scores.max(axis=1), tau)
    found = []
    for g in np.unique(gold):
        for p in range(len(labels)):
            if p != g:
                count = int(((gold == g) & (predicted == p) & confident).sum())
                found.append({"gold": labels[g], "predicted": labels[p], "hcms": count})
    return found


def group_measures(scores: np.ndarray, baseline: np.ndarray, gold: np.ndarray, tau: float) -> dict[str, float]:
    """What is measured of each group of rows; `baseline` are the scores of the arm `none` on them."""
    outcome, before = Outcome.of(scores, gold), Outcome.of(baseline, gold)
    return {
        "accuracy": float(1 - outcome.wrong.mean()),
        "hcms": hcms(outcome, tau),
        "coverage": kept(outcome, tau) / len(outcome),
        "hcms_at_matched_coverage": matched_mistakes(outcome, before, tau),
    }


def measure(
    scores: np.ndarray, gold: np.ndarray, baseline: np.ndarray, thresholds: Sequence[float], tau: float
) -> dict[str, Any]:
    """All measures of one arm on one set of rows, as JSON-able data; `baseline` are the scores of the arm `none`."""
    from sklearn.metrics import f1_score

    outcome, base = Outcome.of(scores, gold), Outcome.of(baseline, gold)
    # Over the labels that occur, so that a challenge set of one label is not charged for the others.
    labels = np.unique(gold)
    return {
        "accuracy": float(1 - outcome.wrong.mean()),
        "macro_f1": float(f1_score(gold, scores.argmax(axis=1), labels=labels, average="macro", zero_division=0)),
        **confidence_measures(scores, gold, thresholds),
        "hcms_at_matched_coverage": matched_mistakes(outcome, base, tau),
        "mistakes_at_coverage": {str(c): mistakes_kept(outcome, c * len(outcome)) for c in COVERAGES},
        "area_under_risk_coverage": area_under_risk_coverage(outcome),
        "auroc": auroc(outcome),
    }


def confidence_measures(scores: np.ndarray, gold: np.ndarray, thresholds: Sequence[float]) -> dict[str, Any]:
    """The measures that change when only confidence does."""
    outcome = Outcome.of(scores, gold)
    return {
        "hcms": {str(t): hcms(outcome, t) for t in thresholds},
        "coverage": {str(t): kept(outcome, t) / len(outcome) for t in thresholds},
        "calibration_error": calibration_error(outcome),
        "adaptive_calibration_error": adaptive_calibration_error(outcome),
        "brier": brier(scores, gold),
    }


def mean_of(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of mappings key by key; None where a value is."""
    if isinstance(values[0], dict):
        return {key: mean_of([value[key] for value in values]) for key in values[0]}
    if any(value is None for value in values):
        return None
    return float(np.mean(values))
