"""The teacher `openings`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from hcmlang.spec.kinds import EngineKind, TeacherKind

if TYPE_CHECKING:
    from hcmlang.data.records import Hypothesis
    from hcmlang.spec.model import Characterize
    from hcmlang.teachers.base import Case, TeacherContext


class OpeningsTeacher(TeacherKind):
    """Blames the first word of the mistakes."""

    kind: Literal["openings"]
    """The teacher that reads first words."""
    engine: EngineKind
    """What writes the instances."""

    @property
    def engine_for_writing(self) -> EngineKind:
        return self.engine

    def make(self, name: str, context: TeacherContext) -> Openings:
        return Openings(name)


class Openings:
    """A ready teacher."""

    def __init__(self, name: str) -> None:
        self.name = name

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        from hcmlang.data.records import Hypothesis

        hypotheses = []
        for number, group in enumerate(case.groups[:2], start=1):
            words = Counter(case.pool.columns[0][row].split()[0] for row in group.rows)
            word = words.most_common(1)[0][0]
            statement = f"Texts that begin with {word} are taken for {group.predicted}."
            hypothesis = Hypothesis(
                f"{self.name}-{number}",
                self.name,
                statement,
                group.gold,
                group.predicted,
                "opening",
                (word,),
                group.rows,
            )
            hypotheses.append(hypothesis)
        return hypotheses
