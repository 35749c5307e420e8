"""The protocol of teachers: who explains the mistakes of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.spec.model import Characterize


@dataclass(frozen=True)
class Case:
    """What a teacher is shown: the pool, never test rows.

    `scores` are the classifier's probabilities of the pool rows, shape (rows, labels); `confidence` is tau; `groups` are the
    HCMs, grouped. `seed` is for teachers that draw.
    """

    pool: Table
    scores: np.ndarray
    confidence: float
    groups: tuple[Group, ...]
    seed: int = 0
    may_show: Callable[[Sequence[int]], Iterable[int]] = lambda rows: rows
    """Of some rows of the pool those that may be shown: not those that repeat a row which is kept for evaluation."""


class Teacher(Protocol):
    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses about why the classifier is confidently wrong; none where there is nothing to say."""
