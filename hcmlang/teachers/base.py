"""The protocol of teachers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.spec.model import Characterize

if TYPE_CHECKING:
    from hcmlang.engines.base import Engine
    from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer


@dataclass(frozen=True)
class Case:
    """The part of the pool that a teacher sees. It never sees test rows.

    `scores` are the classifier's probabilities of the pool rows, shape (rows, labels); `confidence` is tau; `groups` are the
    HCMs, grouped. `seed` is for teachers that draw.
    """

    pool: Table
    scores: np.ndarray
    confidence: float
    groups: tuple[Group, ...]
    seed: int = 0
    may_show: Callable[[Sequence[int]], Iterable[int]] = lambda rows: rows
    """Removes pool rows that repeat an evaluation row."""

    def rightly_predicted(self, label: str) -> np.ndarray:
        """The pool rows with this correct prediction, int64."""
        number = self.pool.labels.index(label)
        return np.flatnonzero((self.scores.argmax(axis=1) == number) & (self.pool.y == number))


class Teacher(Protocol):
    """Explains the mistakes of a classifier."""

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses about why the classifier is confidently wrong; may be empty."""


class TeacherContext(Protocol):
    """What a run provides to :meth:`hcmlang.spec.kinds.TeacherKind.make`."""

    def engine(self) -> Engine:
        """The teacher's engine for questions about the mistakes, created on the first call."""

    def ask(self, tasks: Sequence[AnnotationTask]) -> Mapping[str, Sequence[Answer]]:
        """The answers of people to all tasks, by key. Raises :class:`~hcmlang.teachers.annotation.tasks.PeopleWanted` while
        some are missing."""
