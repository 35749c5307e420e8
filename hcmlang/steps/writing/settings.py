"""What it takes to write instances for hypotheses, for their test and for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from hcmlang import lang
from hcmlang.classifiers.base import Classifier
from hcmlang.data.records import Group, Hypothesis
from hcmlang.data.table import Table
from hcmlang.engines.base import Judge
from hcmlang.progress import Advance
from hcmlang.run.step import ASIDE, Needs, StepContext
from hcmlang.spec.kinds import ClassifierKind
from hcmlang.steps.base import EvaluationSets, GroupsStep, HypothesesStep, ModelStep, Schema, TableStep
from hcmlang.steps.writing.external import ExternalPredicates
from hcmlang.steps.writing.leakage import check_leakage
from hcmlang.steps.writing.people import PeopleWriting
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
    """A teacher, its programs and prompts, and the steps that it needs. Those that may be None are there if it needs them."""

    teacher: NamedTeacher
    task: str
    """The name of the spec."""
    schema: Schema
    classifier: ClassifierKind
    programs: Programs
    prompt: PromptFile | None
    judge_prompt: PromptFile | None
    per_hypothesis: int
    contrast: int
    attempts: int
    seed: int
    hypotheses: HypothesesStep
    groups: GroupsStep
    evaluation: EvaluationSets
    pool: TableStep | None
    train: TableStep | None
    model: ModelStep | None

    def needs(self) -> Needs:
        needs = self.teacher.needs(self.prompt, self.judge_prompt)
        return replace(needs, accelerators=max(needs.accelerators, self.classifier.accelerators(training=False)))

    def scopes(self, hypothesis: Hypothesis, group: Group | None, pool: Table | None) -> list[dict[str, lang.Value]]:
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
        return requests_for(hypothesis, scopes, count, purpose, programs=programs, seed=self.seed, prompt=prompt)

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
            assert self.train is not None, "the plan gives people all that there is"
            assert self.pool is not None
            assert self.model is not None
            people = PeopleWriting(
                self.teacher.name,
                self.teacher.config,
                self.schema,
                self.seed,
                self.classifier,
                self.train,
                self.pool,
                self.model,
                self.evaluation,
            )
            return people.write(context, requests, self._external(context, errors, None), errors)
        engine = self.teacher.engine(context, purpose)
        external = self._external(context, errors, engine if isinstance(engine, Judge) else None)
        return write(engine, [request.text for request in requests], self.attempts, external, advance)

    def check_leakage(self, context: StepContext, requests: Sequence[InstanceRequest]) -> None:
        """Raises :class:`DiagnosticError` if a prompt holds an evaluation row."""
        check_leakage([request.text.messages for request in requests], partial(self.evaluation.rows, context))

    def _external(self, context: StepContext, errors: Sequence[int], judge: Judge | None) -> ExternalPredicates:
        """The predicates that need other texts, the classifier or a judge. What the programs do not need is not there."""
        program = next(iter(self.programs.parsed.values()))

        def table(step: TableStep | None) -> Table:
            assert step is not None, "the plan gives the step all that its programs need"
            return step.table(context)

        def classifier() -> Classifier:
            assert self.model is not None, "the plan gives the step all that its programs need"
            return self.model.load(context)

        return ExternalPredicates(
            in_order_of(self.schema.fields, program.fields),
            self.schema.fields,
            train=lambda: table(self.train),
            errors=lambda: table(self.pool).take(sorted(set(errors))),
            classifier=classifier,
            labels=self.schema.labels,
            judge=judge,
            prompt=self.judge_prompt.load() if self.judge_prompt is not None else None,
        )
