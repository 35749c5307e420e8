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
        assert plan.instances is not None, "the check of the spec asks for them"
        return Retrain(
            label=plan.label("retrain", by="append"),
            classifier=model.classifier,
            schema=model.schema,
            rows=plan.train,
            model=self.model(plan.previous, model) if plan.previous is not None else model,
            instances=plan.instances,
            earlier=plan.previous.instances if plan.previous is not None else None,
            seed=plan.at.seed,
            start=plan.spec.mitigate.start,
            weight=plan.spec.mitigate.weight,
        )
