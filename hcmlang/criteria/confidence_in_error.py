"""Prefer instances that the classifier is most confidently wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from hcmlang.criteria.base import CriterionKind
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.run.step import Needs, StepContext
from hcmlang.spec.model import Spec
from hcmlang.steps.base import ModelStep
from hcmlang.steps.select import Scorer


@dataclass(frozen=True)
class ConfidenceInError(CriterionKind):
    """The probability that the classifier, which has not seen the instance, gives to other labels than its own."""

    summary: ClassVar[str] = "instances that the classifier is most confidently wrong about"

    model: ModelStep

    @classmethod
    def of(cls, spec: Spec, model: ModelStep) -> Self:
        return cls(model)

    def needs(self) -> Needs:
        return Needs(self.model.classifier.accelerators(training=False))

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        probabilities = self.model.load(context).predict_proba(table, context.progress)
        scores = 1 - probabilities[np.arange(len(table)), table.y].astype(np.float64)
        return lambda taken: scores
