"""The control `relabel`: the confident mistakes of the pool, with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.data.records import write_jsonl
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import StepContext
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.sources.rows import instances_of
from hcmlang.steps.base import InstancesStep, Mistakes
from hcmlang.steps.collect.parts import SourceSteps


class Relabel(Source):
    """Gives the confident mistakes themselves, with the labels that they should have got."""

    summary: ClassVar[str] = "the confident mistakes of the pool"

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        label = plan.at.label("relabel")
        return SourceSteps(RelabelMistakes(label=label, mistakes=plan.mistakes))


@dataclass(frozen=True, eq=False, kw_only=True)
class RelabelMistakes(InstancesStep):
    """The rows of the pool that are in a group of mistakes."""

    action: ClassVar[str] = "relabel"

    mistakes: Mistakes

    def run(self, context: StepContext) -> None:
        mistakes = self.mistakes
        rows = np.array(sorted(row for group in mistakes.groups.groups(context) for row in group.rows), dtype=np.int64)
        write_jsonl(context.out / INSTANCES, instances_of(mistakes.pool.table(context), rows, mistakes.seed))
        write_jsonl(context.out / REJECTED, [])
