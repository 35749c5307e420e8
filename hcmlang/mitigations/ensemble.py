"""Combine the classifier with the retrained one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.mitigations.append import Append
from hcmlang.mitigations.base import ArmPlan, Mitigation

if TYPE_CHECKING:
    from hcmlang.steps.base import ModelStep


class Ensemble(Mitigation):
    """Averages the classifier as it was and the retrained one. Where they disagree, neither is sure."""

    summary: ClassVar[str] = "averages the classifier as it was and the retrained one"

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        from hcmlang.steps.models.ensemble import JoinModels

        retrained = Append().model(plan, model)
        classifier, schema = model.classifier, model.schema
        return JoinModels(
            label=plan.label("ensemble"), classifier=classifier, schema=schema, before=model, after=retrained
        )
