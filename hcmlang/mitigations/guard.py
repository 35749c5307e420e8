"""Fit an error detector beside the classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hcmlang.classifiers import error_detector
from hcmlang.mitigations.base import ArmPlan, Mitigation
from hcmlang.run.step import Label, StepContext
from hcmlang.steps.base import InstancesStep, ModelStep, ScoresStep, TableStep
from hcmlang.steps.folds import Added, out_of_fold
from hcmlang.steps.retrain import Retrain


class Guard(Mitigation):
    """Leaves the classifier as it is, and fits an error detector that lowers its confidence on likely mistakes."""

    summary: ClassVar[str] = (
        "fits an error detector beside the classifier, which lowers its confidence on likely mistakes"
    )
    follows: ClassVar[bool] = True
    needs_instances: ClassVar[bool] = False

    def model(self, plan: ArmPlan, model: ModelStep) -> FitGuard:
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


@dataclass(frozen=True, eq=False, kw_only=True)
class FitGuard(ModelStep):
    """A classifier with a guard, fitted on out-of-fold probabilities of the rows that it was trained on, and on its
    probabilities of instances that it has not seen."""

    action: ClassVar[str] = "guard"

    rows: TableStep
    instances: InstancesStep | None
    model: ModelStep
    out_of_fold: ScoresStep
    seed: int

    def run(self, context: StepContext) -> None:
        classifier = self.model.load(context)
        instances = self.instances.instances(context) if self.instances is not None else []
        rows = self.rows.table(context) + self.schema.table(instances)
        scores = self.out_of_fold.scores(context)
        unseen = rows.take(np.arange(len(scores), len(rows)))
        scores = np.concatenate([scores, classifier.predict_proba(unseen, context.progress)])
        detector = error_detector.fit(rows, scores, self.seed)
        self.save(
            error_detector.GuardedClassifier(classifier, detector) if detector is not None else classifier, context
        )
