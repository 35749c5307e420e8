"""Apply a classifier to a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hcmlang.data.table import Table
from hcmlang.hashing import content_key
from hcmlang.run.files import SCORES
from hcmlang.run.step import Label, Needs, StepContext
from hcmlang.steps import shards
from hcmlang.steps.base import ModelStep, ScoresStep, TableStep, finite

#: Bytes of a file whose rows one step scores: hundreds of thousands of rows, minutes of work.
SHARD_BYTES = 64_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Predict(ScoresStep):
    """Probabilities of a table's rows, or of a shard of them. A run that stops keeps what it has predicted."""

    action: ClassVar[str] = "predict"
    version: ClassVar[int] = 2

    model: ModelStep
    rows: TableStep
    shard: tuple[int, int] | None = None
    """The number of a shard, from 0, and how many there are."""

    def needs(self) -> Needs:
        return Needs(self.model.classifier.accelerators(training=False))

    def run(self, context: StepContext) -> None:
        model, table = self.model.load(context), self.rows.table(context)
        if self.shard is not None:
            number, count = self.shard
            table = table.take(np.arange(len(table) * number // count, len(table) * (number + 1) // count))

        def scores(rows: Table) -> np.ndarray:
            return finite(model.predict_proba(rows, context.progress))

        # The name of a result's folder says its content.
        inputs = {role: context.folder(step).name for role, step in self.inputs.items()}
        unfinished = context.out.parent / f"unfinished-{content_key([shards.SHARD, self.settings, inputs])[:16]}"
        shards.predicted(table, scores, unfinished, context.out / SCORES)


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinShards(ScoresStep):
    """Probabilities of a table's rows, from those of its shards."""

    action: ClassVar[str] = "join"

    shards: tuple[Predict, ...]

    def run(self, context: StepContext) -> None:
        shards.join([context.folder(step) / SCORES for step in self.shards], context.out / SCORES)


def predict(model: ModelStep, rows: TableStep, label: Label) -> ScoresStep:
    """The step that applies a model to a table. Large files are scored in shards."""
    step = Predict(model=model, rows=rows, label=label)
    count = max(1, round(rows.file_size / SHARD_BYTES))
    if count == 1:
        return step
    parts = (replace(step, shard=(n, count), label=label.part("shard", n)) for n in range(count))
    return JoinShards(shards=tuple(parts), label=label)
