"""Which sources and arms of a spec take part in further rounds."""

from __future__ import annotations

from hcmlang.sources.base import Source
from hcmlang.sources.teacher import Teacher
from hcmlang.spec.model import Spec
from hcmlang.spec.registries import SOURCES


def source_kind(spec: Spec, name: str) -> Source:
    """The kind of a source: a teacher of the spec, or a registered one."""
    kind: Source = Teacher() if name in spec.teachers else SOURCES[name]()
    return kind


def further_sources(spec: Spec, arm: str) -> tuple[str, ...]:
    """The sources of an arm that give new instances in further rounds. A recording does not."""
    return tuple(name for name in spec.source_of(arm) if source_kind(spec, name).continues(spec, name))


def last_round(spec: Spec, arm: str) -> int:
    """The number of rounds of an arm: one if later rounds would bring nothing new."""
    return spec.rounds if further_sources(spec, arm) else 1


def leader(spec: Spec) -> str:
    """The arm that controls follow in further rounds: of the arms with the first teacher, the one with fewest sources."""
    arms = [arm for arm in spec.compared if spec.teachers_used[0] in spec.source_of(arm)]
    return min(arms, key=lambda arm: len(spec.source_of(arm)))
