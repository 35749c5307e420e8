"""Retrain the classifier on train rows and instances."""

from __future__ import annotations

from typing import ClassVar

from hcmlang.mitigations.base import ArmPlan, Mitigation
from hcmlang.steps.base import ModelStep
from hcmlang.steps.retrain import Retrain


class Append(Mitigation):
    """Retrains the classifier on the train rows and the instances."""

    summary: ClassVar[str] = "retrains the classifier on the train rows and the instances"
    retrains: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> Retrain:
        return plan.retrained(Retrain, "append", model, weight=plan.spec.mitigate.weight)
