"""Prefer instances whose label a judge is sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from hcmlang.criteria.base import CriterionKind
from hcmlang.data.records import Instance
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Judge
from hcmlang.run.step import Needs, StepContext
from hcmlang.spec.model import Spec
from hcmlang.steps.base import ModelStep
from hcmlang.steps.select import Scorer
from hcmlang.steps.writing.prompt import judge_prompt
from hcmlang.steps.writing.teacher import NamedTeacher, PromptFile


@dataclass(frozen=True)
class LabelCertainty(CriterionKind):
    """The probability that a judge, a teacher's language model, gives to the label: 0 if it prefers another one, 1 if it does
    not say how sure it is."""

    summary: ClassVar[str] = "instances whose label a language model is surest of"
    needs_judge: ClassVar[bool] = True

    judge: NamedTeacher
    prompt: PromptFile

    @classmethod
    def of(cls, spec: Spec, model: ModelStep) -> Self:
        assert spec.judge is not None, "the check of the spec asks for one"
        file = spec.generate.judge_prompt if spec.generate is not None else None
        return cls(NamedTeacher.of(spec.judge, spec.teachers[spec.judge]), PromptFile.of("judge", file))

    def needs(self) -> Needs:
        return self.judge.needs(self.prompt)

    def scorer(self, context: StepContext, instances: Sequence[Instance], table: Table) -> Scorer:
        engine, name = self.judge.engine(context, "judge"), self.judge.name
        if not isinstance(engine, Judge):
            message = f"the engine of the teacher `{name}` cannot judge a text"
            raise DiagnosticError(Diagnostic("no-judge", message, hint="leave `label_certainty` out of `select.by`"))
        prompt, labels = self.prompt.load(), table.labels
        with context.progress.task(f"{name} judges {len(instances)} instances"):
            judged = engine.judge([judge_prompt(labels, one.fields, prompt) for one in instances], labels)
        certainty = [1.0 if one.probability is None else one.probability for one in judged]
        right = [one.label == instance.label for one, instance in zip(judged, instances, strict=True)]
        scores = np.where(right, certainty, 0.0)
        return lambda taken: scores
