"""The control `duplicate`: train rows repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.sources.base import Followed, RoundPlan, Source

if TYPE_CHECKING:
    from hcmlang.steps.base import InstancesStep
    from hcmlang.steps.collect.parts import SourceSteps


class Duplicate(Source):
    """Repeats as many train rows as the first teacher's arm has instances."""

    summary: ClassVar[str] = "as many train rows repeated"
    follows_teacher: ClassVar[bool] = True
    is_selected: ClassVar[bool] = False

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        from hcmlang.steps.collect.parts import SourceSteps
        from hcmlang.steps.controls.duplicate import DuplicateRows

        assert followed is not None
        label = plan.at.label("select", **{"from": name})
        return SourceSteps(
            DuplicateRows(label=label, train=plan.train, like=followed.selected, earlier=earlier, seed=plan.at.seed)
        )
