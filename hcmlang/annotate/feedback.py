"""Feedback on a text while it is typed: each constraint of its program, the classifier's prediction, and near repetitions.

The checks are the same as those of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from hcmlang import classifiers, lang, prompts
from hcmlang.annotate import views
from hcmlang.classifiers.base import Classifier
from hcmlang.data.near_duplicates import NearDuplicates
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, SpecError
from hcmlang.run.files import MODEL, SPEC, TABLE
from hcmlang.spec.check import programs_of
from hcmlang.spec.kinds import ClassifierKind
from hcmlang.spec.load import require_spec
from hcmlang.steps.writing.external import ExternalPredicates
from hcmlang.steps.writing.people import FORM, ConstraintCheck, checked, compiled, first_violated
from hcmlang.steps.writing.requests import in_order_of
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

Text: TypeAlias = tuple[str, Mapping[str, str]]
"""The key of a writing task, and the texts of its fields."""


@dataclass(frozen=True)
class Feedback:
    """Feedback on a text.

    `words` has the constraints in words, by their source. `reading` says how far the rules match, if they do not match the
    whole text. `label` and `confidence` are the classifier's. `repeats` is the text that this one nearly repeats.
    """

    checks: tuple[ConstraintCheck, ...]
    words: Mapping[str, str]
    reading: lang.Reading | None
    label: str
    confidence: float
    repeats: str | None


@dataclass(frozen=True)
class _Rules:
    """The program of a task, its constraints in words by their source, and all its rules as clauses for people."""

    program: lang.CompiledProgram
    words: dict[str, str]
    clauses: list[str]


class Checker:
    """Checks texts for the writing tasks of a run. Thread-safe.

    Raises :class:`SpecError` if the tasks were made from another spec or from results that no longer exist.
    """

    def __init__(self, run: Path, tasks: TaskStore) -> None:
        self._run = run
        self._tasks = tasks
        self._lock = threading.Lock()
        self._compiled: dict[str, _Rules] = {}
        self._steps: dict[str, _Step] = {}

    def feedback(self, task: AnnotationTask, fields: Mapping[str, str]) -> Feedback:
        """Feedback on a text. `fields` has all fields of the program."""
        with self._lock:
            rules, step = self._rules(task), self._step(task)
            checks = checked(rules.program, fields, step.external)
            reading = rules.program.reading(fields) if checks[0].holds is False else None
            label, confidence = step.predicted(fields)
            return Feedback(tuple(checks), rules.words, reading, label, confidence, step.repeated(fields))

    def beginning(self, task: AnnotationTask) -> tuple[str, ...]:
        """The words with which a text may begin; empty if there are too many."""
        with self._lock:
            program = self._rules(task).program
            reading = program.reading(dict.fromkeys(program.fields, ""))
            return reading.words if reading is not None else ()

    def rules(self, task: AnnotationTask) -> list[str]:
        """The rules for a text, a clause each: in words, or in code if there are no words for it."""
        with self._lock:
            return self._rules(task).clauses

    def find_broken(self, task: AnnotationTask, fields: Mapping[str, str]) -> str | None:
        """The first constraint that a text breaks, in words and in code; None if it breaks none."""
        with self._lock:
            rules = self._rules(task)
            source = first_violated(checked(rules.program, fields, self._step(task).external))
            if source == FORM:
                reading = rules.program.reading(fields)
                return FORM if reading is None else f"{FORM}: {views.read_so_far(reading, fields)}"
            return f"{rules.words[source]} (`{source}`)" if source in rules.words else source

    @cached_property
    def _programs(self) -> dict[str, lang.Program]:
        return programs_of(require_spec(self._run / SPEC))[0]

    def _rules(self, task: AnnotationTask) -> _Rules:
        if task.key not in self._compiled:
            program = self._programs.get(task.content["program"])
            if program is None or program.key != task.content["program_key"]:
                # The spec may have changed, and run, while the page is served. Read it again.
                self.__dict__.pop("_programs", None)
                program = self._programs.get(task.content["program"])
            if program is None or program.key != task.content["program_key"]:
                raise _outdated(self._run)
            bound = program.bind(task.content["scope"])
            self._compiled[task.key] = _Rules(
                compiled(bound, task.content), prompts.clauses(bound), prompts.for_people(bound)
            )
        return self._compiled[task.key]

    def _step(self, task: AnnotationTask) -> _Step:
        """The step that the task belongs to, with all texts written so far."""
        place = self._tasks.place_of(task.key)
        if place is None:
            raise _outdated(self._run)
        name, context = place
        texts = self._tasks.texts(name)
        step = self._steps.get(name)
        if step is None or not step.is_continued_by(texts):
            step = self._steps[name] = _Step(self._run, context, task)
        step.add(texts)
        return step


class _Step:
    """The rows and texts that the texts of a step are compared with, and the classifier under repair."""

    def __init__(self, run: Path, context: Mapping[str, Any], task: AnnotationTask) -> None:
        self._columns, self._labels = tuple(context["columns"]), list(context["labels"])
        self._folders = {role: run / context[role] for role in ("train", "pool", "model")}
        if not all(folder.is_dir() for folder in self._folders.values()):
            raise _outdated(run)
        self._context = context
        self._names = in_order_of(self._columns, task.content["fields"])
        self._texts: list[Text] = []
        self.external = ExternalPredicates(
            self._names,
            self._columns,
            train=lambda: self._train,
            errors=lambda: self._table("pool").take(self._context["errors"]),
            classifier=self._classifier,
            labels=self._labels,
        )
        threshold = context["near_duplicate"]
        self._rows = self._train.texts()
        self._near_rows, self._near_texts = NearDuplicates(self._rows, threshold), NearDuplicates((), threshold)

    @cached_property
    def _train(self) -> Table:
        return self._table("train")

    def _table(self, role: str) -> Table:
        return Table.read(self._folders[role] / TABLE, self._columns, self._labels)

    def _classifier(self) -> Classifier:
        config: ClassifierKind = ClassifierKind.model_validate(self._context["classifier"])
        return classifiers.load(config, self._folders["model"] / MODEL, self._labels)

    def is_continued_by(self, texts: Sequence[Text]) -> bool:
        """Whether `texts` starts with the texts added so far. If one was taken back, the comparison starts again."""
        return list(texts[: len(self._texts)]) == self._texts

    def add(self, texts: Sequence[Text]) -> None:
        """Add the texts that are new."""
        for key, fields in texts[len(self._texts) :]:
            self.external.accept(fields)
            self._near_texts.add(self._row(fields))
            self._texts.append((key, fields))

    def predicted(self, fields: Mapping[str, str]) -> tuple[str, float]:
        """The classifier's label and confidence."""
        scores = self.external.scores(fields)
        return self._labels[int(scores.argmax())], float(scores.max())

    def repeated(self, fields: Mapping[str, str]) -> str | None:
        """The text that this one repeats or nearly repeats."""
        row = self._row(fields)
        others = [self._row(other) for _, other in self._texts]
        for index, rows in ((self._near_rows, self._rows), (self._near_texts, others)):
            number = index.exact(row)
            if number is None and (near := index.nearest(row)) is not None:
                number = near[0]
            if number is not None:
                return " | ".join(rows[number])
        return None

    def _row(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(fields[name] for name in self._names)


def _outdated(run: Path) -> SpecError:
    message = f"the tasks of {run} were made from another spec, or from results that no longer exist"
    hint = f"update them: hcmlang resume {run}"
    return SpecError(Diagnostic("outdated-tasks", message, hint=hint))
