"""Prefer instances that the classifier is most confidently wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.criteria.base import ClassifierCriterion
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.run.step import StepContext
from hcmlang.steps.select import Scorer


@dataclass(frozen=True)
class ConfidenceInError(ClassifierCriterion):
    """The probability that the classifier, which has not seen the instance, gives to other labels than its own."""

    summary: ClassVar[str] = "instances that the classifier is most confidently wrong about"

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        probabilities = self.model.load(context).predict_proba(table, context.progress)
        scores = 1 - probabilities[np.arange(len(table)), table.y].astype(np.float64)
        return lambda taken: scores
