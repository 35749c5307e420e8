"""Take the confident mistakes with their labels, for the control `relabel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.data.records import write_jsonl
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import StepContext
from hcmlang.steps.base import InstancesStep, Mistakes
from hcmlang.steps.controls.rows import instances_of


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
