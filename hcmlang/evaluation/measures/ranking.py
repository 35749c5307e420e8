"""How well confidence ranks right predictions before wrong ones."""

from __future__ import annotations

from collections.abc import Sequence

from hcmlang.evaluation.measures.base import Measure
from hcmlang.evaluation.predictions import Predictions, area_under_risk_coverage


class AreaUnderRiskCoverage(Measure):
    title = "AURC"
    explanation = (
        "area under the risk-coverage curve: mean over all k of the share of mistakes among the k most confident predictions "
        "(Geifman, Uziel and El-Yaniv 2019)"
    )
    better, digits, order, short = "lower", 4, 60, "AURC"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return area_under_risk_coverage(arm)


class Auroc(Measure):
    title = "AUROC"
    explanation = (
        "chance that a right prediction is more confident than a wrong one, ties counting half (area under the ROC curve of "
        "confidence: Hendrycks and Gimpel 2017); undefined where all predictions are right, or all wrong"
    )
    better, table, order = "higher", "confidence", 10

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float | None:
        from scipy.stats import rankdata

        wrong = int(arm.wrong.sum())
        right = len(arm) - wrong
        if not wrong or not right:
            return None
        ranks = rankdata(arm.confidence)[~arm.wrong].sum()
        return float((ranks - right * (right + 1) / 2) / (right * wrong))
