"""The mitigation method `twice`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.mitigations.base import ArmPlan, Mitigation

if TYPE_CHECKING:
    from hcmlang.steps.base import ModelStep


class Twice(Mitigation):
    """Retrains with instances that weigh as much as two train rows."""

    summary: ClassVar[str] = "retrains with instances of double weight"
    retrains: ClassVar[bool] = True

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        from hcmlang.steps.retrain import Retrain

        return plan.retrained(Retrain, "twice", model, weight=2.0)
