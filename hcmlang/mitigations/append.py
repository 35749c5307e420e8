"""Retrain the classifier on train rows and instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.mitigations.base import ArmPlan, Mitigation

if TYPE_CHECKING:
    from hcmlang.steps.base import ModelStep


class Append(Mitigation):
    """Retrains the classifier on the train rows and the instances."""

    summary: ClassVar[str] = "retrains the classifier on the train rows and the instances"
    retrains: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        from hcmlang.steps.retrain import Retrain

        return plan.retrained(Retrain, "append", model, weight=plan.spec.mitigate.weight)
