"""Select the instances to train on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from hcmlang.data.records import Instance, write_jsonl
from hcmlang.data.table import Table
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps import filter as rules
from hcmlang.steps.base import EvaluationSets, InstancesStep, Schema, TableStep

#: Scores of rows between 0 and 1, shape (rows,), each time that one is taken. It gets the number of the row taken last, at
#: first None.
Scorer: TypeAlias = Callable[[int | None], np.ndarray]


@dataclass(frozen=True)
class Criterion:
    """How good an instance is, compared with others. Subclasses are the kinds in :mod:`hcmlang.criteria`."""

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        """Scores for these instances, which `table` holds as rows."""
        raise NotImplementedError

    def needs(self) -> Needs:
        return Needs()


@dataclass(frozen=True, eq=False, kw_only=True)
class Select(InstancesStep):
    """The instances worth training on, with those of earlier rounds, and why others are not."""

    action: ClassVar[str] = "select"
    version: ClassVar[int] = 2

    schema: Schema
    candidates: Mapping[str, InstancesStep]
    """By source."""
    train: TableStep
    evaluation: EvaluationSets
    seed: int
    keep: int | None
    by: tuple[Criterion, ...] = ()
    """Decide which instances are kept if there are more than `keep`."""
    like: InstancesStep | None = None
    """Keep as many as these are."""
    duplicates: InstancesStep | None = None
    """Repeated train rows, which are kept in any case."""
    earlier: InstancesStep | None = None

    def needs(self) -> Needs:
        needs = [criterion.needs() for criterion in self.by]
        return Needs(
            max((one.accelerators for one in needs), default=0),
            any(one.runs_on_driver for one in needs),
            any(one.reads_files for one in needs),
        )

    def run(self, context: StepContext) -> None:
        candidates = [instance for step in self.candidates.values() for instance in step.instances(context)]
        queries = ([instance.fields[name] for name in self.schema.fields] for instance in candidates)
        evaluation = self.evaluation.rows(context, queries)
        earlier = self.earlier.instances(context) if self.earlier is not None else []
        keep = self.keep if self.like is None else len(self.like.instances(context)) - len(earlier)

        def choose(instances: Sequence[Instance], keep: int) -> list[int]:
            table = self.schema.table(instances)
            return best([one.scorer(context, instances, table) for one in self.by], len(table), keep)

        with context.progress.task(f"checking {len(candidates)} instances against the evaluation rows"):
            selection = rules.select(
                candidates if keep != 0 else [],
                keep or None,
                near_duplicate=self.evaluation.near_duplicate,
                train=self.train.table(context),
                evaluation=evaluation,
                earlier=earlier,
                seed=self.seed,
                choose=choose if self.by else None,
            )
        kept = earlier + selection.kept
        if self.duplicates is not None:
            kept = kept + self.duplicates.instances(context)
        write_jsonl(context.out / INSTANCES, kept)
        write_jsonl(context.out / REJECTED, selection.rejected)


def best(scorers: Sequence[Scorer], count: int, keep: int) -> list[int]:
    """Numbers of the `keep` best of `count` rows, the best first. Rows are taken one by one: each time the row with the largest
    sum of scores."""
    taken: list[int] = []
    left = np.ones(count, dtype=bool)
    while len(taken) < min(keep, count):
        last = taken[-1] if taken else None
        value = np.zeros(count)
        for scorer in scorers:
            value += scorer(last)
        row = int(np.where(left, value, -np.inf).argmax())
        taken.append(row)
        left[row] = False
    return taken
