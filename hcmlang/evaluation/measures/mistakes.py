"""How many confident predictions are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.evaluation.measures.base import Measure
from hcmlang.evaluation.predictions import Predictions, at_least, hcms, kept, matched_mistakes, mistakes_kept

#: Shares of the predictions at which `mistakes_at_coverage` counts, beside the matched coverage.
COVERAGES = (0.5, 0.7, 0.9)


class Hcms(Measure):
    title, explanation = "HCMs", "wrong predictions with at least this confidence"
    better, digits, order, short, every_threshold = "lower", 1, 30, "HCMs", True
    of_confidence, by_group, interval = True, True, "count"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> dict[str, float]:
        return {str(threshold): hcms(arm, threshold) for threshold in thresholds}

    def counted(self, arm: Predictions, tau: float) -> np.ndarray:
        return np.asarray(arm.wrong & at_least(arm.confidence, tau))


class Coverage(Measure):
    title, explanation = "coverage", "share of predictions with at least this confidence"
    order = 40
    of_confidence, by_group = True, True

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> dict[str, float]:
        return {str(threshold): kept(arm, threshold) / len(arm) for threshold in thresholds}


class HcmsAtMatchedCoverage(Measure):
    title = "HCMs at matched coverage"
    explanation = (
        "wrong predictions among the arm's most confident ones, as many as `none` makes with confidence >= tau (with the same "
        "seed); an arm that is only less confident gains nothing"
    )
    better, digits, order, short = "lower", 1, 50, "matched"
    by_group, interval = True, "matched"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return matched_mistakes(arm, baseline, tau)

    def counted(self, arm: Predictions, tau: float) -> np.ndarray:
        return arm.wrong


class MistakesAtCoverage(Measure):
    title, explanation = "mistakes", "wrong predictions among this share of the most confident ones"
    better, digits, table = "lower", 1, None

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> dict[str, float]:
        return {str(share): mistakes_kept(arm, share * len(arm)) for share in COVERAGES}
