"""Fit an error detector beside the classifier, for the method `guard`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.classifiers import error_detector
from hcmlang.run.step import StepContext
from hcmlang.steps.base import InstancesStep, ModelStep, ScoresStep, TableStep


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
