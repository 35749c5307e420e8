"""Combine the classifier with the retrained one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.classifiers.ensemble import Ensemble as EnsembleModel
from hcmlang.mitigations.append import Append
from hcmlang.mitigations.base import ArmPlan, Mitigation
from hcmlang.run.step import StepContext
from hcmlang.steps.base import ModelStep


class Ensemble(Mitigation):
    """Averages the classifier as it was and the retrained one. Where they disagree, neither is sure."""

    summary: ClassVar[str] = "averages the classifier as it was and the retrained one"

    def model(self, plan: ArmPlan, model: ModelStep) -> JoinModels:
        retrained = Append().model(plan, model)
        classifier, schema = model.classifier, model.schema
        return JoinModels(
            label=plan.label("ensemble"), classifier=classifier, schema=schema, before=model, after=retrained
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinModels(ModelStep):
    """Two classifiers as one."""

    action: ClassVar[str] = "pair"

    before: ModelStep
    after: ModelStep

    def run(self, context: StepContext) -> None:
        self.save(EnsembleModel(self.before.load(context), self.after.load(context)), context)
