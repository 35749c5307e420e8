"""Join two classifiers, for the method `ensemble`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.classifiers.ensemble import Ensemble
from hcmlang.run.step import StepContext
from hcmlang.steps.base import ModelStep


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinModels(ModelStep):
    """Two classifiers as one."""

    action: ClassVar[str] = "pair"

    before: ModelStep
    after: ModelStep

    def run(self, context: StepContext) -> None:
        self.save(Ensemble(self.before.load(context), self.after.load(context)), context)
