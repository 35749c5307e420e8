"""What people are told about a text while they type it: every constraint of its program, what the classifier makes of it, and
texts that it nearly repeats. The checks are those that the run makes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from hcmlang import classifiers, lang, prompts
from hcmlang.annotate import views
from hcmlang.data.near_duplicates import NearDuplicates
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.loop.ask import Asker
from hcmlang.loop.orders import in_order_of
from hcmlang.loop.people import FORM, Check, checked, compiled, first_violated
from hcmlang.loop.publish import SPEC
from hcmlang.loop.work import MODEL, TABLE
from hcmlang.spec.check import programs_of
from hcmlang.spec.load import require_spec
from hcmlang.spec.model import ClassifierConfig
from hcmlang.teachers.asked import Task
from hcmlang.teachers.tasks import Tasks

Text: TypeAlias = tuple[str, Mapping[str, str]]
"""The key of a writing task, and the texts of its fields."""


@dataclass(frozen=True)
class Feedback:
    """`words` says constraints in words, by their source, `reading` how far the rules can write the text where they
    cannot write all of it; `label` and `confidence` are the classifier's; `repeats` is a text that this one nearly
    repeats."""

    checks: tuple[Check, ...]
    words: Mapping[str, str]
    reading: lang.Reading | None
    label: str
    confidence: float
    repeats: str | None

    @property
    def broken(self) -> str | None:
        """The source of the first requirement that is not kept."""
        return first_violated(self.checks)


@dataclass(frozen=True)
class _Rules:
    """The program of a task, its constraints in words by their source, and all that people have to know of it."""

    program: lang.CompiledProgram
    words: dict[str, str]
    told: list[str]


class Checker:
    """Checks texts for the writing tasks of the run in a folder. Safe for several threads.

    Raises :class:`DiagnosticError` where the run's spec or results are not what its tasks were made from.
    """

    def __init__(self, run: Path, tasks: Tasks) -> None:
        self._run = run
        self._tasks = tasks
        self._lock = threading.Lock()
        self._compiled: dict[str, _Rules] = {}
        self._places: dict[str, _Place] = {}

    def feedback(self, task: Task, fields: Mapping[str, str]) -> Feedback:
        """What there is to say of a text; `fields` has all of the program's."""
        with self._lock:
            rules, place = self._rules(task), self._place(task)
            program = rules.program
            checks = checked(program, fields, place.asker)
            reading = program.reading(fields) if checks[0].holds is False else None
            label, confidence = place.predicted(fields)
            return Feedback(tuple(checks), rules.words, reading, label, confidence, place.repeated(fields))

    def beginning(self, task: Task) -> tuple[str, ...]:
        """The words with which a text may begin; none where these are too many to name."""
        with self._lock:
            program = self._rules(task).program
            reading = program.reading(dict.fromkeys(program.fields, ""))
            return reading.words if reading is not None else ()

    def rules(self, task: Task) -> list[str]:
        """What a text has to keep, a clause each; where there are no words for it, as it is written."""
        with self._lock:
            return self._rules(task).told

    def broken(self, task: Task, fields: Mapping[str, str]) -> str | None:
        """The constraint that a text does not keep, if there is one, in words and as it is written."""
        with self._lock:
            rules = self._rules(task)
            program, words = rules.program, rules.words
            source = first_violated(checked(program, fields, self._place(task).asker))
            if source == FORM:
                reading = program.reading(fields)
                return FORM if reading is None else f"{FORM}: {views.read_so_far(reading, fields)}"
            return f"{words[source]} (`{source}`)" if source in words else source

    @cached_property
    def _programs(self) -> dict[str, lang.Program]:
        return programs_of(require_spec(self._run / SPEC))[0]

    def _rules(self, task: Task) -> _Rules:
        if task.key not in self._compiled:
            program = self._programs.get(task.content["program"])
            if program is None or program.key != task.content["program_key"]:
                # The spec may have been changed, and run, while the page is served.
                self.__dict__.pop("_programs", None)
                program = self._programs.get(task.content["program"])
            if program is None or program.key != task.content["program_key"]:
                raise _outdated(self._run)
            bound = program.bind(task.content["scope"])
            self._compiled[task.key] = _Rules(
                compiled(bound, task.content), prompts.clauses(bound), prompts.for_people(bound)
            )
        return self._compiled[task.key]

    def _place(self, task: Task) -> _Place:
        """Texts that are compared with each other, and the classifier that all of them are for."""
        found = self._tasks.place_of(task.key)
        if found is None:
            raise _outdated(self._run)
        name, context = found
        texts = self._tasks.texts(name)
        place = self._places.get(name)
        if place is None or not place.grew(texts):
            place = self._places[name] = _Place(self._run, context, task)
        place.take(texts)
        return place


class _Place:
    """The rows and texts that a step's texts are compared with. `texts` of other people come in one after the other."""

    def __init__(self, run: Path, context: Mapping[str, Any], task: Task) -> None:
        self._columns, self._labels = tuple(context["columns"]), list(context["labels"])
        self._folders = {role: run / context[role] for role in ("train", "pool", "model")}
        if not all(folder.is_dir() for folder in self._folders.values()):
            raise _outdated(run)
        self._context = context
        self._names = in_order_of(self._columns, task.content["fields"])
        self._taken: list[Text] = []
        self.asker = Asker(
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

    def _classifier(self) -> classifiers.Classifier:
        config: ClassifierConfig = TypeAdapter(ClassifierConfig).validate_python(self._context["classifier"])
        return classifiers.load(config, self._folders["model"] / MODEL, self._labels)

    def grew(self, texts: Sequence[Text]) -> bool:
        """Whether texts only came on; where some were taken back, everything is compared anew."""
        return list(texts[: len(self._taken)]) == self._taken

    def take(self, texts: Sequence[Text]) -> None:
        for key, fields in texts[len(self._taken) :]:
            self.asker.accept(fields)
            self._near_texts.add(self._row(fields))
            self._taken.append((key, fields))

    def predicted(self, fields: Mapping[str, str]) -> tuple[str, float]:
        """The classifier's label and confidence."""
        scores = self.asker.scores(fields)
        return self._labels[int(scores.argmax())], float(scores.max())

    def repeated(self, fields: Mapping[str, str]) -> str | None:
        """The text that this one repeats or nearly repeats."""
        row = self._row(fields)
        others = [self._row(one) for _, one in self._taken]
        for index, found in ((self._near_rows, self._rows), (self._near_texts, others)):
            number = index.exact(row)
            if number is None and (near := index.nearest(row)) is not None:
                number = near[0]
            if number is not None:
                return " | ".join(found[number])
        return None

    def _row(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(fields[name] for name in self._names)


def _outdated(run: Path) -> DiagnosticError:
    message = f"the tasks of {run} were made from another spec, or from results that are gone"
    hint = f"bring them up to date: hcmlang resume {run}"
    return SpecError(Diagnostic("outdated-tasks", message, hint=hint))
