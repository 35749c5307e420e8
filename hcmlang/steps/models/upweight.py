"""Retrain with several weights of the instances, for the method `upweight`."""

from __future__ import annotations

from dataclasses import dataclass

from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, area_under_risk_coverage
from hcmlang.run.step import StepContext
from hcmlang.steps.base import TableStep
from hcmlang.steps.retrain import Choice, Retrain

#: Weights of an instance to try.
WEIGHTS = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class RetrainWeighted(Retrain):
    """Of classifiers trained with several weights the one with the least area under the risk-coverage curve of the calibration
    rows; of equals the one with the smallest weight."""

    calibration: TableStep

    def retrained(self, context: StepContext, train: Table, added: Table) -> Choice:
        calibration = self.calibration.table(context)
        areas: dict[str, float] = {}
        best: Choice | None = None
        for weight in WEIGHTS:
            context.progress.note(f"  weight {weight:g}")
            model = self.fit(context, train, added, weight)
            outcome = Predictions(model.predict_proba(calibration, context.progress), calibration.y)
            areas[f"{weight:g}"] = area_under_risk_coverage(outcome)
            if best is None or areas[f"{weight:g}"] < areas[f"{best[1]:g}"]:
                best = model, weight, areas
        assert best is not None
        return best
