"""Find high-confidence misclassifications."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hcmlang.data.records import write_jsonl
from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.run.files import GROUPS, LEAKED
from hcmlang.run.step import Needs, StepContext
from hcmlang.spec import model as spec
from hcmlang.steps import rounds
from hcmlang.steps.base import EvaluationSets, GroupsStep, ModelStep, ScoresStep, TableStep, id_in_round
from hcmlang.steps.group import group_errors


@dataclass(frozen=True, eq=False, kw_only=True)
class Detect(GroupsStep):
    """The HCMs of the part of the pool that a round looks at, grouped into candidate blind spots."""

    action: ClassVar[str] = "detect"
    version: ClassVar[int] = 3

    pool: TableStep
    scores: ScoresStep
    model: ModelStep
    evaluation: EvaluationSets
    confidence: float
    group: spec.Group
    seed: int
    round: int = 1
    rounds: int = 1
    earlier: tuple[ScoresStep, ...] = ()
    """The pool's probabilities before the first round and after each one, but for the last."""
    no_gain_for: int | None = None
    """An arm stops after so many rounds without gain."""

    def needs(self) -> Needs:
        return Needs(self.model.classifier.accelerators(training=False))

    def run(self, context: StepContext) -> None:
        pool, scores = self.pool.table(context), self.scores.scores(context)
        rows = confident_errors(scores, pool.y, self.confidence)
        rows = rows[self._searched(context, pool, scores)[rows]]
        # A teacher must not see rows that are in an evaluation set, too.
        texts = pool.texts()
        evaluation = self.evaluation.rows(context, (texts[row] for row in rows))
        leaks = {int(row): leak for row in rows if (leak := evaluation.revealed_by(texts[row])) is not None}
        rows = np.array([row for row in rows if row not in leaks], dtype=np.int64)
        write_jsonl(context.out / LEAKED, [{"row": row, "repeats": str(leak)} for row, leak in leaks.items()])
        embeddings = None
        if self.group.features == "classifier" and len(rows):
            embeddings = self.model.load(context).embed(pool.take(rows), context.progress)
        groups = group_errors(
            pool, scores, rows, self.group, embeddings=embeddings, seed=self.seed, progress=context.progress
        )
        write_jsonl(context.out / GROUPS, [replace(one, id=id_in_round(one.id, self.round)) for one in groups])

    def _searched(self, context: StepContext, pool: Table, scores: np.ndarray) -> np.ndarray:
        """Whether the round looks at each row of the pool; at none if the arm has stopped."""
        if self.no_gain_for is not None:
            history = [*(step.scores(context) for step in self.earlier), scores]
            gains = rounds.gains(history, pool.y, self.confidence, self.rounds, self.seed)
            if rounds.stopped(gains, self.no_gain_for):
                return np.zeros(len(pool), dtype=bool)
        return rounds.part(len(pool), self.round, self.rounds, self.seed)
