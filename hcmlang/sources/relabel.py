"""The control `relabel`: the confident mistakes of the pool, with their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hcmlang.sources.base import Followed, RoundPlan, Source

if TYPE_CHECKING:
    from hcmlang.steps.base import InstancesStep
    from hcmlang.steps.collect.parts import SourceSteps


class Relabel(Source):
    """Gives the confident mistakes themselves, with the labels that they should have got."""

    summary: ClassVar[str] = "the confident mistakes of the pool"

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        from hcmlang.steps.collect.parts import SourceSteps
        from hcmlang.steps.controls.relabel import RelabelMistakes

        label = plan.at.label("relabel")
        return SourceSteps(RelabelMistakes(label=label, mistakes=plan.mistakes))
