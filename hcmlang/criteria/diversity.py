"""Prefer instances that differ from each other."""

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
class Diversity(ClassifierCriterion):
    """The distance to the nearest instance taken before, in the classifier's embedding (greedy k-center: Sener and Savarese
    2018), relative to the largest distance to the centre of all. At first, the distance to the centre."""

    summary: ClassVar[str] = "instances that differ most from each other"

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        return distances(self.model.load(context).embed(table, context.progress))


def distances(embedding: np.ndarray) -> Scorer:
    """The scores of rows with this embedding, shape (rows, dimensions)."""
    places = embedding.astype(np.float64)
    nearest = np.linalg.norm(places - places.mean(axis=0), axis=1) if len(places) else np.zeros(0)
    widest = max(float(nearest.max(initial=0)), 1e-12)
    is_first = True

    def score(taken: int | None) -> np.ndarray:
        nonlocal nearest, is_first
        if taken is not None:
            distance = np.linalg.norm(places - places[taken], axis=1)
            nearest = distance if is_first else np.minimum(nearest, distance)
            is_first = False
        return np.minimum(nearest / widest, 1)

    return score
