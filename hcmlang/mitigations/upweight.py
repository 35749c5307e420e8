"""Retrain the classifier, and choose the weight of the instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.mitigations.base import ArmPlan, Mitigation

if TYPE_CHECKING:
    from hcmlang.steps.base import ModelStep


class Upweight(Mitigation):
    """Retrains the classifier with several weights of the instances, and keeps the model that ranks calibration rows best."""

    summary: ClassVar[str] = "retrains with the weight of the instances that ranks the held-out rows best"
    retrains: ClassVar[bool] = True
    needs_calibration: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        from hcmlang.steps.models.upweight import RetrainWeighted

        assert plan.calibration is not None, "the check of the spec asks for calibration rows"
        return plan.retrained(RetrainWeighted, "upweight", model, calibration=plan.calibration)
