"""Fit an error detector beside the classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from hcmlang.mitigations.base import ArmPlan, Mitigation

if TYPE_CHECKING:
    from hcmlang.steps.base import ModelStep


class Guard(Mitigation):
    """Leaves the classifier as it is, and fits an error detector that lowers its confidence on likely mistakes."""

    summary: ClassVar[str] = (
        "fits an error detector beside the classifier, which lowers its confidence on likely mistakes"
    )
    follows: ClassVar[bool] = True
    needs_instances: ClassVar[bool] = False

    def model(self, plan: ArmPlan, model: ModelStep) -> ModelStep:
        from hcmlang.run.step import Label
        from hcmlang.steps.folds import Added, out_of_fold
        from hcmlang.steps.models.guard import FitGuard
        from hcmlang.steps.retrain import Retrain

        if isinstance(model, Retrain):
            assert plan.instances is not None
            added = Added(plan.instances, model)
            label, folds = replace(model.label, what="guard"), replace(model.label, what="out-of-fold")
        else:
            added = None
            label, folds = plan.label("guard"), Label("out-of-fold", (("seed", plan.at.seed),))
        return FitGuard(
            label=label,
            classifier=model.classifier,
            schema=model.schema,
            rows=plan.train,
            instances=plan.instances,
            model=model,
            out_of_fold=out_of_fold(folds, model.classifier, plan.train, plan.at.seed, plan.spec.detect.folds, added),
            seed=plan.at.seed,
        )
