"""The measure `worst`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.evaluation.measures import Measure
from hcmlang.evaluation.predictions import Predictions


class WorstLabel(Measure):
    """The recall of the label with the lowest recall."""

    title = "worst recall"
    explanation = "the recall of the label with the lowest recall"
    better = "higher"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return float(min(1 - arm.wrong[arm.gold == label].mean() for label in np.unique(arm.gold)))
