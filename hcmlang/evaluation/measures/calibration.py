"""How far confidence is from the share of right predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.evaluation.calibration import BINS, reliability
from hcmlang.evaluation.measures.base import Measure
from hcmlang.evaluation.predictions import Predictions


class CalibrationError(Measure):
    title = "ECE"
    explanation = (
        "expected calibration error: mean distance of accuracy and confidence over 15 bins of equal width, weighted by their "
        "rows (Guo et al. 2017)"
    )
    better, order, of_confidence = "lower", 70, True

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return sum(b.count * abs(b.accuracy - b.confidence) for b in reliability(arm)) / len(arm)


class AdaptiveCalibrationError(Measure):
    title = "adaptive ECE"
    explanation = (
        "expected calibration error over 15 bins of equally many rows (Nguyen and O'Connor 2015): no bin is nearly empty, and "
        "none holds nearly all"
    )
    better, table, order, of_confidence = "lower", "confidence", 30, True

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        order = np.argsort(arm.confidence, kind="stable")
        total = 0.0
        for rows in np.array_split(order, min(BINS, len(order))):
            total += abs((~arm.wrong[rows]).sum() - arm.confidence[rows].sum())
        return float(total / len(arm))


class Brier(Measure):
    title = "Brier"
    explanation = (
        "mean squared distance of the probabilities from the truth, summed over labels, from 0 to 2 (Brier 1950)"
    )
    better, digits, table, order, of_confidence = "lower", 4, "confidence", 20, True

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        truth = np.zeros(arm.scores.shape)
        truth[np.arange(len(arm)), arm.gold] = 1
        return float(((arm.scores - truth) ** 2).sum(axis=1).mean())
