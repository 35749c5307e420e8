"""Repeat train rows, for the control `duplicate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.data.records import write_jsonl
from hcmlang.hashing import derive_seed
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import StepContext
from hcmlang.steps.base import InstancesStep, TableStep
from hcmlang.steps.controls.rows import instances_of


@dataclass(frozen=True, eq=False, kw_only=True)
class DuplicateRows(InstancesStep):
    """Random train rows, as many as there are instances in `like`. Those of earlier rounds stay."""

    action: ClassVar[str] = "duplicate"

    train: TableStep
    like: InstancesStep
    earlier: InstancesStep | None
    seed: int

    def run(self, context: StepContext) -> None:
        train, count = self.train.table(context), len(self.like.instances(context))
        earlier = self.earlier.instances(context) if self.earlier is not None else []
        more = count - len(earlier)
        random = np.random.default_rng(derive_seed("duplicate", self.seed, *([len(earlier)] if earlier else [])))
        rows = random.choice(len(train), more, replace=more > len(train))
        write_jsonl(context.out / INSTANCES, [*earlier, *instances_of(train, rows, self.seed)])
        write_jsonl(context.out / REJECTED, [])
