"""The control `generic`: instances of the first teacher without its hypotheses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang.run.step import StepContext
from hcmlang.sources.base import Followed, RoundPlan, Source
from hcmlang.sources.teacher import write_for
from hcmlang.steps.base import HypothesesStep, InstancesStep, Mistakes
from hcmlang.steps.collect.parts import SourceSteps
from hcmlang.steps.writing.teacher import NamedTeacher
from hcmlang.teachers.generic import without_knowledge


class Generic(Source):
    """Lets the first teacher write as many instances, with the same labels, without its hypotheses."""

    summary: ClassVar[str] = "as many instances without hypotheses"
    follows_teacher: ClassVar[bool] = True

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        assert followed is not None
        config = plan.spec.teachers[plan.spec.teachers_used[0]]
        hypotheses = BlankHypotheses(
            label=plan.at.label("characterize", teacher=name),
            # A recording has a file with instances that were written without a hypothesis.
            like=None if config.writes == "recorded" else followed.hypotheses,
            mistakes=plan.mistakes,
        )
        return write_for(plan, NamedTeacher.of(name, config), hypotheses, probed=False)


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
