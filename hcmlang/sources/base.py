"""The base class of sources of instances, and what they can build their steps from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hcmlang import lang
from hcmlang.spec.model import Spec

if TYPE_CHECKING:  # `hcmlang check` looks at kinds, and has no use for steps
    from hcmlang.steps.base import HypothesesStep, InstancesStep, Mistakes, Round, TableStep
    from hcmlang.steps.collect.parts import SourceSteps


@dataclass(frozen=True)
class RoundPlan:
    """A round of a run: its place, and the steps before its sources."""

    spec: Spec
    programs: Mapping[str, lang.Program]
    at: Round
    train: TableStep
    mistakes: Mistakes


@dataclass(frozen=True)
class Followed:
    """What the first teacher does in a round, for sources that imitate it."""

    hypotheses: HypothesesStep
    selected: InstancesStep


class Source:
    """A kind of source, under its name in an arm's `from`."""

    summary: ClassVar[str]
    """What it gives, for documentation and editors."""
    follows_teacher: ClassVar[bool] = False
    """Whether it gives as many instances as the first teacher, so that there must be one."""
    is_selected: ClassVar[bool] = True
    """Whether its instances are filtered and selected. Others are used as they are, and in several rounds only by
    themselves."""

    def continues(self, spec: Spec, name: str) -> bool:
        """Whether the source called `name` gives new instances in further rounds."""
        if not self.follows_teacher:
            return True
        return spec.teachers[spec.teachers_used[0]].several_rounds

    def steps(
        self, plan: RoundPlan, name: str, followed: Followed | None, earlier: InstancesStep | None
    ) -> SourceSteps:
        """The steps of a round that make instances. `followed` is there for a source that follows the teacher; `earlier` are
        the source's selected instances of the round before, in arms that have no other source."""
        raise NotImplementedError
