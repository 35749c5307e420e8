"""The control `generic`: instances of the first teacher without its hypotheses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.sources.base import Followed, RoundPlan, Source

if TYPE_CHECKING:
    from hcmlang.steps.base import InstancesStep
    from hcmlang.steps.collect.parts import SourceSteps


class Generic(Source):
    """Lets the first teacher write as many instances, with the same labels, without its hypotheses."""

    summary: ClassVar[str] = "as many instances without hypotheses"
    follows_teacher: ClassVar[bool] = True

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        from hcmlang.sources.teacher import write_for
        from hcmlang.steps.controls.generic import BlankHypotheses
        from hcmlang.steps.writing.teacher import NamedTeacher

        assert followed is not None
        config = plan.spec.teachers[plan.spec.teachers_used[0]]
        hypotheses = BlankHypotheses(
            label=plan.at.label("characterize", teacher=name),
            # A recording has a file with instances that were written without a hypothesis.
            like=None if config.writes == "recorded" else followed.hypotheses,
            mistakes=plan.mistakes,
        )
        return write_for(plan, NamedTeacher.of(name, config), hypotheses, probed=False)
