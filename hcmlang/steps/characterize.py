"""Let a teacher state hypotheses about the groups of mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from hcmlang import teachers
from hcmlang.data.table import Table
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.spec.model import Characterize as CharacterizeConfig
from hcmlang.steps.base import HypothesesStep, Mistakes, accelerators
from hcmlang.steps.writing.leakage import CheckedEngine
from hcmlang.steps.writing.people import checked_people
from hcmlang.steps.writing.teacher import NamedTeacher, PromptFile
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
        needs = self.teacher.needs(accelerators(*self.teacher.engines), self.prompt)
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
        load_rows = partial(mistakes.evaluation.rows, context)
        teacher = teachers.make(
            self.teacher.config,
            name,
            lambda: CheckedEngine(self.teacher.engine(context, "characterize"), load_rows),
            checked_people(context.providers.people("characterize", {}), load_rows),
        )
        with context.progress.task(f"{name} reads {sum(len(group.rows) for group in groups)} HCMs"):
            mistakes.write_hypotheses(teacher.characterize(case, self.config), context)

    def _may_show(self, context: StepContext, pool: Table, rows: Sequence[int]) -> list[int]:
        """The rows of the pool among these that a teacher may see."""
        texts = dict(zip(rows, pool.take(rows).texts(), strict=True))
        evaluation = self.mistakes.evaluation.rows(context, texts.values())
        return [row for row, text in texts.items() if evaluation.within(text) is None]
