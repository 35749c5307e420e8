"""What it takes to write instances for hypotheses, for their test and for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hcmlang import lang
from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.engines.base import Judge
from hcmlang.progress import Advance
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.steps.base import HypothesesStep, Mistakes, Schema, TableStep
from hcmlang.steps.writing import people
from hcmlang.steps.writing.external import ExternalPredicates
from hcmlang.steps.writing.leakage import check_leakage
from hcmlang.steps.writing.requests import (
    InstanceRequest,
    PromptBuilder,
    Purpose,
    in_order_of,
    requests_for,
    scopes_of,
)
from hcmlang.steps.writing.teacher import NamedTeacher, PromptFile
from hcmlang.steps.writing.write import TextResult, write
from hcmlang.teachers.human import HumanTeacher


@dataclass(frozen=True)
class Programs:
    """Programs, by the keys of their content."""

    keys: Mapping[str, str]
    parsed: Mapping[str, lang.Program] = field(metadata=ASIDE)

    @classmethod
    def of(cls, programs: Mapping[str, lang.Program]) -> Programs:
        return cls({name: program.key for name, program in programs.items()}, programs)


@dataclass(frozen=True)
class Writing:
    """A teacher with its programs and prompts, and the steps that it builds on."""

    teacher: NamedTeacher
    task: str
    """The name of the spec."""
    programs: Programs
    prompt: PromptFile | None
    judge_prompt: PromptFile | None
    per_hypothesis: int
    contrast: int
    attempts: int
    hypotheses: HypothesesStep
    mistakes: Mistakes
    train: TableStep

    @property
    def schema(self) -> Schema:
        return self.train.schema

    def needs(self) -> Needs:
        needs, classifier = self.teacher.needs(self.prompt, self.judge_prompt), self.mistakes.model.classifier
        return replace(needs, accelerators=max(needs.accelerators, classifier.accelerators(training=False)))

    def scopes(self, hypothesis: Hypothesis, group: Group | None, pool: Table) -> list[dict[str, lang.Value]]:
        """The values that programs see, once for each example of the hypothesis."""
        return scopes_of(hypothesis, group, self.schema, self.task, pool)

    def requests(
        self,
        hypothesis: Hypothesis,
        scopes: Sequence[dict[str, lang.Value]],
        count: int,
        purpose: Purpose,
        prompt: PromptBuilder,
    ) -> tuple[list[InstanceRequest], list[str]]:
        """Requests for `count` instances of a hypothesis, and why some programs cannot write them."""
        programs = self.programs.parsed
        return requests_for(
            hypothesis, scopes, count, purpose, programs=programs, seed=self.mistakes.seed, prompt=prompt
        )

    def prompt_builder(self) -> PromptBuilder:
        return PromptBuilder(self.schema.fields, self.prompt.load() if self.prompt is not None else None)

    def write(
        self,
        context: StepContext,
        requests: Sequence[InstanceRequest],
        errors: list[int],
        purpose: str,
        advance: Advance,
    ) -> Iterator[TextResult]:
        """The result of each request, after a leakage check of its prompt. `errors` are the HCMs' rows in the pool."""
        if self.teacher.config.writes == "people":
            assert isinstance(self.teacher.config, HumanTeacher), "teachers made of people derive from it"
            return people.write(
                self, self.teacher.config, context, requests, self._external(context, errors, None), errors
            )
        engine = self.teacher.engine(context, purpose)
        external = self._external(context, errors, engine if isinstance(engine, Judge) else None)
        return write(engine, [request.text for request in requests], self.attempts, external, advance)

    def check_leakage(self, context: StepContext, requests: Sequence[InstanceRequest]) -> None:
        """Raises :class:`DiagnosticError` if a prompt holds an evaluation row."""
        check_leakage([request.text.messages for request in requests], partial(self.mistakes.evaluation.rows, context))

    def _external(self, context: StepContext, errors: Sequence[int], judge: Judge | None) -> ExternalPredicates:
        """The predicates that need other texts, the classifier or a judge."""
        program = next(iter(self.programs.parsed.values()))
        return ExternalPredicates(
            in_order_of(self.schema.fields, program.fields),
            self.schema.fields,
            train=lambda: self.train.table(context),
            errors=lambda: self.mistakes.pool.table(context).take(sorted(set(errors))),
            classifier=lambda: self.mistakes.model.load(context),
            labels=self.schema.labels,
            judge=judge,
            prompt=self.judge_prompt.load() if self.judge_prompt is not None else None,
        )
