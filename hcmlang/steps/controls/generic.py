"""State hypotheses that say nothing, for the control `generic`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.run.step import StepContext
from hcmlang.steps.base import HypothesesStep, Mistakes
from hcmlang.teachers.generic import without_knowledge


@dataclass(frozen=True, eq=False, kw_only=True)
class BlankHypotheses(HypothesesStep):
    """A hypothesis that says nothing for each one of the first teacher's."""

    action: ClassVar[str] = "generic"

    like: HypothesesStep | None
    mistakes: Mistakes

    def run(self, context: StepContext) -> None:
        blank, mistakes = [], self.mistakes
        if self.like is not None:
            pool, rows = mistakes.pool.table(context), mistakes.shown_rows(context)
            blank = without_knowledge(self.like.hypotheses(context), pool, rows, mistakes.seed)
        mistakes.write_hypotheses(blank, context)
