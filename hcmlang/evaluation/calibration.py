"""Whether confidence means what it says, and temperature scaling, which corrects it without changing a prediction.

An arm that is merely less confident has fewer HCMs at a threshold. Once every arm's confidence is calibrated, that advantage
is gone, and only a real difference remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hcmlang.evaluation.predictions import Predictions

#: Bins of confidence, in each calibration error.
BINS = 15
#: The range in which the temperature is searched.
_LOWEST, _HIGHEST = 0.05, 20.0
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in (low, high]: their number, mean confidence and accuracy."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(predictions: Predictions) -> list[Bin]:
    """The predictions in 15 bins of equal width, without the empty ones."""
    edges = np.linspace(0, 1, BINS + 1)
    # Edges rounded as the scores are, for the reason given in `at_least`.
    inner = edges[1:-1].astype(np.float32).astype(np.float64)
    number = np.searchsorted(inner, predictions.confidence, side="left")
    bins = []
    for index in np.unique(number):
        inside = number == index
        accuracy = float(1 - predictions.wrong[inside].mean())
        mean = float(predictions.confidence[inside].mean())
        bins.append(Bin(float(edges[index]), float(edges[index + 1]), int(inside.sum()), mean, accuracy))
    return bins


def temperature(scores: np.ndarray, gold: np.ndarray) -> float:
    """The temperature at which held-out rows have the least log loss (Guo et al. 2017, section 4.2).

    `scores` are probabilities, shape (rows, labels); `gold` the classes, shape (rows,). Above 1, the model was overconfident.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(scores, _SMALLEST, None)).astype(np.float64)
    rows = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        z -= z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[rows, gold]).mean())

    best = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return float(np.exp(best.x))


def scaled(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at another temperature, float32, same shape. The order of the labels in each row stays."""
    logits = np.log(np.clip(scores, _SMALLEST, None)).astype(np.float64) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
