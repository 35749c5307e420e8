"""Instances that people write and other people verify.

The checks are those for a language model's texts: what the rules may write, and every constraint. `judge(text)` is decided by
those who verify the label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from hcmlang import lang, prompts
from hcmlang.diagnostics import Span
from hcmlang.engines.base import Message
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang import BoundProgram, CompiledProgram, Row
from hcmlang.lang.evaluate import compile_formula
from hcmlang.lang.predicates.formula import Constant, Formula
from hcmlang.loop.ask import Asker
from hcmlang.loop.orders import Order, in_order_of
from hcmlang.loop.vet import KeptFor, vet
from hcmlang.loop.work import Work
from hcmlang.loop.write import Written
from hcmlang.spec.model import HumanTeacher, TeacherConfig
from hcmlang.teachers.asked import Answer, Task, votes, votes_in_words
from hcmlang.teachers.people import Ask

#: What is said of a text that the rules cannot write.
FORM = "the rules of the program"


@dataclass(frozen=True)
class Check:
    """A constraint, or the rules (:data:`FORM`), and whether a text keeps it; None where only other people can tell."""

    source: str
    preferred: bool
    holds: bool | None


def checked(
    program: CompiledProgram, fields: Mapping[str, str], ask: Asker | None, label: str | None = None
) -> list[Check]:
    """Every constraint on these texts, the rules first. `ask` answers what takes a corpus or the classifier (without it that is
    open), `label` is what people say that the text is, once they have."""

    context = _PeoplesContext(ask, label)
    found: dict[str, Check] = {FORM: Check(FORM, False, program.conforms(fields))}
    for residual in program.residuals:
        if isinstance(residual.formula, Constant):
            continue  # the values in scope decide it
        before = found.get(residual.source, Check(residual.source, residual.preferred, True))
        holds = False if before.holds is False else _both(before.holds, _test(residual.formula, fields, context))
        found[residual.source] = Check(residual.source, residual.preferred, holds)
    return list(found.values())


class _OpenError(Exception):
    """Nobody can tell yet."""


class _PeoplesContext:
    """The label that people give in place of a judge; the rest from `context`, open where there is none."""

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
    """Both hold; None where that is open."""
    return False if other is False else (None if one is None or other is None else True)


def first_violated(checks: Sequence[Check]) -> str | None:
    """The source of the first requirement that a text does not keep."""
    return next((one.source for one in checks if one.holds is False and not one.preferred), None)


def compiled(program: BoundProgram, content: Mapping[str, Any]) -> CompiledProgram:
    """The program that a text for this task is tested against."""
    return program.compile(Row(content["row"][0], content["row"][1]), "none")


# ------------------------------------------------------------------------------------------------------- the run's side


def vetted(ask: Ask, kept_for: KeptFor) -> Ask:
    """The same, with a last look at what people are shown: raises :class:`DiagnosticError` where that holds a row that is kept
    for evaluation."""

    def asked(tasks: Sequence[Task], /) -> Mapping[str, Sequence[Answer]]:
        vet(([Message("user", line) for line in _told(task.content)] for task in tasks), kept_for)
        return ask(tasks)

    return asked


def _told(content: Mapping[str, Any]) -> Iterator[str]:
    """The texts and sentences that a task shows."""
    for one in (*content.get("mistakes", ()), *content.get("right", ())):
        yield " | ".join(one["texts"].values())
    for example in content.get("examples", ()):
        yield " | ".join(example.values())
    if "hypothesis" in content:
        yield content["hypothesis"]["statement"]


def write(work: Work, orders: Sequence[Order], asker: Asker, errors: Sequence[int]) -> Iterator[Written]:
    """The outcome of each order. Raises :class:`hcmlang.teachers.asked.PeopleWanted` while people have not written all, or
    not verified all."""
    config = TypeAdapter(TeacherConfig).validate_python(work.config["kind"])
    assert isinstance(config, HumanTeacher)
    if not orders:
        return
    ask = vetted(work.desk.people("write", _context(work, errors)), work.kept_for)
    tasks = {order.wanted.key: _writing_task(work, order, config) for order in orders}
    answers = ask(list(tasks.values()))
    texts: dict[str, dict[str, str]] = {}
    verifying: dict[str, Task] = {}
    for order in orders:
        key, content = order.wanted.key, tasks[order.wanted.key].content
        (answer, *_) = answers[tasks[key].key]
        program = compiled(order.wanted.program, content)
        if answer.payload.get("impossible"):
            yield _refused(key, program, "people found no text", "a person says that no text fits")
            continue
        fields = {name: str(answer.payload["fields"].get(name, "")) for name in program.fields}
        violated = first_violated(checked(program, fields, asker))
        if violated is not None:
            yield _refused(key, program, "constraint failed", f"`{violated}`: {' / '.join(fields.values())}")
            continue
        asker.accept(fields)
        texts[key] = fields
        verifying[key] = _verifying_task(work, order, config, fields, answer.annotator)
    if not verifying:
        return
    # In an order of their own, so that texts for one label do not come in a row.
    random = np.random.default_rng(derive_seed("verify", work.seed, work.config["teacher"]))
    shuffled = [list(verifying.values())[n] for n in random.permutation(len(verifying))]
    work.desk.people("verify", {})(shuffled)
    for order in orders:
        if order.wanted.key in verifying:
            yield _verified(
                work, order, compiled(order.wanted.program, tasks[order.wanted.key].content), texts, verifying
            )


def _verified(
    work: Work,
    order: Order,
    program: CompiledProgram,
    texts: Mapping[str, Mapping[str, str]],
    verifying: Mapping[str, Task],
) -> Written:
    """What came of a text that people have labelled."""
    key = order.wanted.key
    verdict = work.desk.tasks.verdict(verifying[key].key)
    assert verdict is not None, "nothing is open here"
    label, answers = verdict
    fields = texts[key]
    if label != order.label:
        said = votes_in_words(votes(answers).most_common())
        detail = f"written as {order.label}, people say: {said}: {' / '.join(fields.values())}"
        return _refused(key, program, "label not confirmed", detail)
    judged = [one for one in checked(program, fields, None, label) if one.holds is False and not one.preferred]
    if judged:
        detail = f"`{judged[0].source}`: {' / '.join(fields.values())}"
        return _refused(key, program, "constraint failed", detail)
    return Written(key, fields, program, 1, {})


def _refused(key: str, program: CompiledProgram, reason: str, detail: str) -> Written:
    return Written(key, None, program, 1, {}, objection=(reason, detail))


def _writing_task(work: Work, order: Order, config: HumanTeacher) -> Task:
    wanted, hypothesis = order.wanted, order.hypothesis
    program = wanted.program
    content: dict[str, Any] = {
        "columns": list(work.config["fields"]),
        "fields": list(program.program.fields),
        "labels": list(work.config["labels"]),
        "target": order.label,
        "wrong": str(program.scope["wrong"]),
        "contrast": order.label != hypothesis.gold,
        "hypothesis": {"id": hypothesis.id, "statement": hypothesis.statement, "triggers": list(hypothesis.triggers)},
        "examples": [{name: prompts.one_line(text) for name, text in one.items()} for one in order.examples],
        "rules": prompts.in_words(program),
        "program": order.program,
        "program_key": program.program.key,
        "scope": dict(program.scope),
        "row": [wanted.seed, wanted.index],
    }
    key = content_key(["write", work.config["teacher"], wanted.key, content])
    return Task(key, "write", work.config["teacher"], content, usd_per_hour=config.wage.usd_per_hour)


def _verifying_task(work: Work, order: Order, config: HumanTeacher, fields: Mapping[str, str], author: str) -> Task:
    columns = work.config["fields"]
    names = in_order_of(columns, tuple(fields))
    content: dict[str, Any] = {
        "texts": {column: fields[name] for column, name in zip(columns, names, strict=True)},
        "labels": list(work.config["labels"]),
    }
    if config.show_label:
        content["label"] = order.label
    arm = work.config["teacher"]
    key = content_key(["verify", arm, content])
    return Task(key, "verify", arm, content, config.redundancy, config.wage.usd_per_hour, author)


def _context(work: Work, errors: Sequence[int]) -> dict[str, Any]:
    """What live feedback needs of the run: results of its steps, by where they lie in the run directory."""
    folders = {role: work.desk.relative(work.inputs[role]) for role in ("train", "pool", "model")}
    return {
        **folders,
        "columns": list(work.config["fields"]),
        "labels": list(work.config["labels"]),
        "classifier": work.config["classifier"],
        "near_duplicate": work.config["near_duplicate"],
        "errors": sorted({int(row) for row in errors}),
    }
