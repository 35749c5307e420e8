"""Retrain the classifier, and choose the weight of the instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, area_under_risk_coverage
from hcmlang.mitigations.base import ArmPlan, Mitigation
from hcmlang.run.step import StepContext
from hcmlang.steps.base import ModelStep, TableStep
from hcmlang.steps.retrain import Choice, Retrain

#: Weights of an instance to try.
WEIGHTS = (1.0, 2.0, 4.0, 8.0)


class Upweight(Mitigation):
    """Retrains the classifier with several weights of the instances, and keeps the model that ranks calibration rows best."""

    summary: ClassVar[str] = "retrains with the weight of the instances that ranks the held-out rows best"
    retrains: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> RetrainWeighted:
        assert plan.calibration is not None, "the check of the spec asks for calibration rows"
        return plan.retrained(RetrainWeighted, "upweight", model, calibration=plan.calibration)


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
