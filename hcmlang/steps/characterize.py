"""Let a teacher state hypotheses about the groups of mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from hcmlang.data.table import Table
from hcmlang.engines.base import Engine
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.spec.model import Characterize as CharacterizeConfig
from hcmlang.steps.base import EvaluationSets, HypothesesStep, Mistakes
from hcmlang.steps.writing.leakage import CheckedEngine
from hcmlang.steps.writing.people import checked_people
from hcmlang.steps.writing.teacher import NamedTeacher, PromptFile
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer
from hcmlang.teachers.base import Case


@dataclass(frozen=True, eq=False, kw_only=True)
class Characterize(HypothesesStep):
    """A teacher's hypotheses."""

    action: ClassVar[str] = "characterize"

    teacher: NamedTeacher
    mistakes: Mistakes
    confidence: float
    per_group: int
    prompt: PromptFile | None
    """For teachers that ask a language model."""
    templates: str | None
    """For others: the digest of the file with their sentences."""
    config: CharacterizeConfig = field(metadata=ASIDE)

    def needs(self) -> Needs:
        needs = self.teacher.needs(self.prompt)
        return dataclasses.replace(needs, reads_files=needs.reads_files or self.config.templates is not None)

    def run(self, context: StepContext) -> None:
        mistakes, name = self.mistakes, self.teacher.name
        groups, pool = mistakes.groups.groups(context), mistakes.pool.table(context)
        case = Case(
            pool,
            mistakes.scores.scores(context),
            self.confidence,
            tuple(groups),
            mistakes.seed,
            may_show=lambda rows: self._may_show(context, pool, rows),
        )
        teacher = self.teacher.config.make(name, _Provided(context, self.teacher, mistakes.evaluation))
        with context.progress.task(f"{name} reads {sum(len(group.rows) for group in groups)} HCMs"):
            mistakes.write_hypotheses(teacher.characterize(case, self.config), context)

    def _may_show(self, context: StepContext, pool: Table, rows: Sequence[int]) -> list[int]:
        """The rows of the pool among these that a teacher may see."""
        texts = dict(zip(rows, pool.take(rows).texts(), strict=True))
        evaluation = self.mistakes.evaluation.rows(context, texts.values())
        return [row for row, text in texts.items() if evaluation.revealed_by(text) is None]


@dataclass(frozen=True)
class _Provided:
    """See :class:`hcmlang.teachers.base.TeacherContext`. What a teacher asks is checked for evaluation rows first."""

    context: StepContext
    teacher: NamedTeacher
    evaluation: EvaluationSets

    def engine(self) -> Engine:
        engine = self.teacher.engine(self.context, "characterize")
        return CheckedEngine(engine, partial(self.evaluation.rows, self.context))

    def ask(self, tasks: Sequence[AnnotationTask]) -> Mapping[str, Sequence[Answer]]:
        people = self.context.providers.people("characterize", {})
        return checked_people(people, partial(self.evaluation.rows, self.context))(tasks)
