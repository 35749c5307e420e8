"""How many predictions are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.evaluation.measures.base import Measure
from hcmlang.evaluation.predictions import Predictions


class Accuracy(Measure):
    title, explanation = "accuracy", "share of right predictions"
    better, order, short = "higher", 10, "accuracy"
    by_group, interval = True, "share"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return float(1 - arm.wrong.mean())

    def counted(self, arm: Predictions, tau: float) -> np.ndarray:
        return ~arm.wrong


class MacroF1(Measure):
    title, explanation = "macro-F1", "mean F1 score of the labels that occur in the set"
    better, order = "higher", 20

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        from sklearn.metrics import f1_score

        # A challenge set of one label is not charged for the labels that it lacks.
        labels = np.unique(arm.gold)
        predicted = arm.scores.argmax(axis=1)
        return float(f1_score(arm.gold, predicted, labels=labels, average="macro", zero_division=0))
