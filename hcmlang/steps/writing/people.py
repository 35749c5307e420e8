"""Instances that people write and other people verify.

Their texts pass the checks for a language model's texts: the rules of the program, and every constraint. The people who
verify the label decide `judge(text)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hcmlang import lang, prompts
from hcmlang.diagnostics import Span
from hcmlang.engines.base import Message
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang import BoundProgram, CompiledProgram, Row
from hcmlang.lang.evaluate import compile_formula
from hcmlang.lang.predicates.formula import Constant, Formula
from hcmlang.run.step import StepContext
from hcmlang.steps.writing.external import ExternalPredicates
from hcmlang.steps.writing.leakage import LoadRows, check_leakage
from hcmlang.steps.writing.requests import InstanceRequest, in_order_of
from hcmlang.steps.writing.write import TextResult
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer, votes, votes_in_words
from hcmlang.teachers.human import HumanTeacher
from hcmlang.teachers.people import Ask

if TYPE_CHECKING:
    from hcmlang.steps.writing.settings import Writing

#: Names the check that the rules of the program can write a text.
FORM = "the rules of the program"


@dataclass(frozen=True)
class ConstraintCheck:
    """A constraint, or the rules (:data:`FORM`), and whether a text keeps it; None if only other people can decide."""

    source: str
    preferred: bool
    holds: bool | None


def checked(
    program: CompiledProgram, fields: Mapping[str, str], external: ExternalPredicates | None, label: str | None = None
) -> list[ConstraintCheck]:
    """Check every constraint on these texts, the rules first. `external` evaluates predicates that need a corpus or the
    classifier; without it they are open. `label` is the label that people gave the text, once they have."""

    context = _PeopleContext(external, label)
    checks: dict[str, ConstraintCheck] = {FORM: ConstraintCheck(FORM, False, program.conforms(fields))}
    for residual in program.residuals:
        if isinstance(residual.formula, Constant):
            continue  # the values in scope decide it
        before = checks.get(residual.source, ConstraintCheck(residual.source, residual.preferred, True))
        holds = False if before.holds is False else _both(before.holds, _test(residual.formula, fields, context))
        checks[residual.source] = ConstraintCheck(residual.source, residual.preferred, holds)
    return list(checks.values())


class _OpenError(Exception):
    """The predicate cannot be decided yet."""


class _PeopleContext:
    """The label that people give stands in for a judge. Without `context`, all that needs one is open."""

    def __init__(self, context: lang.Context | None, label: str | None) -> None:
        self._context, self._label = context, label

    @property
    def _known(self) -> lang.Context:
        if self._context is None:
            raise _OpenError
        return self._context

    def novelty(self, corpus: str, field: str, text: str) -> float:
        return self._known.novelty(corpus, field, text)

    def probabilities(self, fields: Mapping[str, str]) -> Mapping[str, float]:
        return self._known.probabilities(fields)

    def judge(self, fields: Mapping[str, str], span: Span) -> str:
        if self._label is None:
            raise _OpenError
        return self._label


def _test(formula: Formula, fields: Mapping[str, str], context: lang.Context) -> bool | None:
    try:
        return compile_formula(formula, context)(fields)
    except _OpenError:
        return None


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Whether both hold; None if that is open."""
    return False if other is False else (None if one is None or other is None else True)


def first_violated(checks: Sequence[ConstraintCheck]) -> str | None:
    """The source of the first requirement that a text violates."""
    return next((one.source for one in checks if one.holds is False and not one.preferred), None)


def compiled(program: BoundProgram, content: Mapping[str, Any]) -> CompiledProgram:
    """The program that a text for this task is checked against."""
    return program.compile(Row(content["row"][0], content["row"][1]), "none")


# ------------------------------------------------------------------------------------------------- the step's side


def checked_people(ask: Ask, load_rows: LoadRows) -> Ask:
    """A function that asks people, with a leakage check: it raises :class:`DiagnosticError` if a task shows an evaluation
    row."""

    def ask_checked(tasks: Sequence[AnnotationTask], /) -> Mapping[str, Sequence[Answer]]:
        check_leakage(([Message("user", line) for line in _shown(task.content)] for task in tasks), load_rows)
        return ask(tasks)

    return ask_checked


def _shown(content: Mapping[str, Any]) -> Iterator[str]:
    """The texts and sentences that a task shows."""
    for row in (*content.get("mistakes", ()), *content.get("right", ())):
        yield " | ".join(row["texts"].values())
    for example in content.get("examples", ()):
        yield " | ".join(example.values())
    if "hypothesis" in content:
        yield content["hypothesis"]["statement"]


def write(
    writing: Writing,
    config: HumanTeacher,
    context: StepContext,
    requests: Sequence[InstanceRequest],
    external: ExternalPredicates,
    errors: Sequence[int],
) -> Iterator[TextResult]:
    """The result of each request. `errors` are the HCMs' rows in the pool.

    Raises :class:`hcmlang.teachers.annotation.tasks.PeopleWanted` while people have texts to write or to verify.
    """
    if not requests:
        return
    people = context.providers.people("write", _feedback(writing, context, errors))
    ask = checked_people(people, partial(writing.mistakes.evaluation.rows, context))
    tasks = {request.text.key: _writing_task(writing, config, request) for request in requests}
    answers = ask(list(tasks.values()))
    texts: dict[str, dict[str, str]] = {}
    verifying: dict[str, AnnotationTask] = {}
    for request in requests:
        key, content = request.text.key, tasks[request.text.key].content
        (answer, *_) = answers[tasks[key].key]
        program = compiled(request.text.program, content)
        if answer.payload.get("impossible"):
            yield _refused(key, program, "people found no text", "a person says that no text fits")
            continue
        fields = {name: str(answer.payload["fields"].get(name, "")) for name in program.fields}
        violated = first_violated(checked(program, fields, external))
        if violated is not None:
            yield _refused(key, program, "constraint failed", f"`{violated}`: {' / '.join(fields.values())}")
            continue
        external.accept(fields)
        texts[key] = fields
        verifying[key] = _verifying_task(writing, config, request, fields, answer.annotator)
    if not verifying:
        return
    # Shuffled, so that texts for one label do not come in a row.
    random = np.random.default_rng(derive_seed("verify", writing.mistakes.seed, writing.teacher.name))
    shuffled = [list(verifying.values())[n] for n in random.permutation(len(verifying))]
    context.providers.people("verify", {})(shuffled)
    for request in requests:
        if (key := request.text.key) in verifying:
            program = compiled(request.text.program, tasks[key].content)
            yield _verified(context, request, program, texts[key], verifying[key])


def _writing_task(writing: Writing, config: HumanTeacher, request: InstanceRequest) -> AnnotationTask:
    text, hypothesis = request.text, request.hypothesis
    program = text.program
    content: dict[str, Any] = {
        "columns": list(writing.schema.fields),
        "fields": list(program.program.fields),
        "labels": list(writing.schema.labels),
        "target": request.label,
        "wrong": str(program.scope["wrong"]),
        "contrast": request.label != hypothesis.gold,
        "hypothesis": {
            "id": hypothesis.id,
            "statement": hypothesis.statement,
            "triggers": list(hypothesis.triggers),
        },
        "examples": [{name: prompts.one_line(one) for name, one in row.items()} for row in request.examples],
        "rules": prompts.in_words(program),
        "program": request.program,
        "program_key": program.program.key,
        "scope": dict(program.scope),
        "row": [text.seed, text.index],
    }
    key = content_key(["write", writing.teacher.name, text.key, content])
    return AnnotationTask(key, "write", writing.teacher.name, content, usd_per_hour=config.wage.usd_per_hour)


def _verifying_task(
    writing: Writing, config: HumanTeacher, request: InstanceRequest, fields: Mapping[str, str], author: str
) -> AnnotationTask:
    columns = writing.schema.fields
    names = in_order_of(columns, tuple(fields))
    content: dict[str, Any] = {
        "texts": {column: fields[name] for column, name in zip(columns, names, strict=True)},
        "labels": list(writing.schema.labels),
    }
    if config.show_label:
        content["label"] = request.label
    key = content_key(["verify", writing.teacher.name, content])
    wage = config.wage.usd_per_hour
    return AnnotationTask(key, "verify", writing.teacher.name, content, config.redundancy, wage, author)


def _feedback(writing: Writing, context: StepContext, errors: Sequence[int]) -> dict[str, Any]:
    """What live feedback needs: folders of results within the run directory, and settings."""
    mistakes = writing.mistakes
    steps = {"train": writing.train, "pool": mistakes.pool, "model": mistakes.model}
    return {
        **{role: context.providers.relative(context.folder(step)) for role, step in steps.items()},
        "columns": list(writing.schema.fields),
        "labels": list(writing.schema.labels),
        "classifier": mistakes.model.classifier.model_dump(mode="json"),
        "near_duplicate": mistakes.evaluation.near_duplicate,
        "errors": sorted({int(row) for row in errors}),
    }


def _verified(
    context: StepContext,
    request: InstanceRequest,
    program: CompiledProgram,
    fields: Mapping[str, str],
    task: AnnotationTask,
) -> TextResult:
    """The result for a text that people have labelled."""
    key = request.text.key
    verdict = context.providers.tasks.verdict(task.key)
    assert verdict is not None, "all tasks are answered here"
    label, answers = verdict
    if label != request.label:
        given = votes_in_words(votes(answers).most_common())
        detail = f"written as {request.label}, people say: {given}: {' / '.join(fields.values())}"
        return _refused(key, program, "label not confirmed", detail)
    violated = first_violated(checked(program, fields, None, label))
    if violated is not None:
        return _refused(key, program, "constraint failed", f"`{violated}`: {' / '.join(fields.values())}")
    return TextResult(key, fields, program, 1, {})


def _refused(key: str, program: CompiledProgram, reason: str, detail: str) -> TextResult:
    return TextResult(key, None, program, 1, {}, objection=(reason, detail))
