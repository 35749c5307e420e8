"""The control `duplicate`: train rows repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang.data.records import write_jsonl
from hcmlang.hashing import derive_seed
from hcmlang.run.files import INSTANCES, REJECTED
from hcmlang.run.step import StepContext
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.sources.rows import instances_of
from hcmlang.steps.base import InstancesStep, TableStep
from hcmlang.steps.collect.parts import SourceSteps


class Duplicate(Source):
    """Repeats as many train rows as the first teacher's arm has instances."""

    summary: ClassVar[str] = "as many train rows repeated"
    follows_teacher: ClassVar[bool] = True
    is_selected: ClassVar[bool] = False

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        assert followed is not None
        label = plan.at.label("select", **{"from": name})
        return SourceSteps(
            DuplicateRows(label=label, train=plan.train, like=followed.selected, earlier=earlier, seed=plan.at.seed)
        )


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
