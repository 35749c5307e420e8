"""Where the steps of a run get their engines; those that cost money go through the run's journal and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hcmlang.engines.base import Engine
from hcmlang.engines.hosted import request_files as batch
from hcmlang.engines.hosted.journal import Journal
from hcmlang.engines.hosted.spending import Accountant
from hcmlang.hashing import content_key
from hcmlang.loop.store import JOURNAL
from hcmlang.progress import Progress
from hcmlang.spec.kinds import EngineKind
from hcmlang.spec.model import Budget
from hcmlang.teachers.annotation.store import TaskStore, has_tasks
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer, PeopleWanted

T = TypeVar("T")


class Desk:
    """The engines of one run. Use as a context manager.

    `folder` is the run directory. Nothing is opened before an engine that costs money is asked for.
    """

    def __init__(self, folder: Path, budget: Budget | None, progress: Progress) -> None:
        self._folder = folder
        self._budget = budget
        self._progress = progress
        self._journal: Journal | None = None
        self._accountant: Accountant | None = None
        self._shared: dict[str, Any] = {}
        self._tasks: TaskStore | None = None
        self._places: list[str] = []

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._tasks is not None:
            self._tasks.close()

    def engine(self, kind: EngineKind, arm: str, purpose: str) -> Engine:
        """The engine of an arm. A hosted model is asked through the journal and within the budget; `arm` and `purpose` sort the
        bill.

        Raises :class:`DiagnosticError` where it cannot be had, and what :meth:`Transport.send` raises.
        """
        return kind.make(_Context(self, arm, purpose))

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self._folder

    @property
    def journal(self) -> Journal:
        """The journal of the run's calls."""
        if self._journal is None:
            self._journal = Journal(self._folder / JOURNAL)
            self._accountant = Accountant(self._budget, self._journal.spent())
            self._journal.used = self._accountant.used
        return self._journal

    @property
    def accountant(self) -> Accountant:
        """The budget of the run."""
        _ = self.journal
        assert self._accountant is not None
        return self._accountant

    def note(self, text: str) -> None:
        self._progress.note(text)

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once in a run."""
        if key not in self._shared:
            self._shared[key] = make()
        value: T = self._shared[key]
        return value

    def people(
        self, job: str, context: Mapping[str, Any]
    ) -> Callable[[Sequence[AnnotationTask]], dict[str, list[Answer]]]:
        """The way to people for a step: it puts tasks before them, and returns the answers to each by key. It raises
        :class:`PeopleWanted` while some are missing. `context` is what answers are checked with."""

        def ask(tasks: Sequence[AnnotationTask]) -> dict[str, list[Answer]]:
            place = f"{job}/{content_key(sorted({task.key for task in tasks}))[:16]}"
            answers = self.tasks.want(place, tasks, context)
            missing = self.tasks.open(place)
            if missing:
                self._places.append(place)
                raise PeopleWanted(missing, self.tasks.missing(place))
            return answers

        return ask

    @property
    def tasks(self) -> TaskStore:
        """What people are asked in this run, and what they answered."""
        if self._tasks is None:
            self._tasks = TaskStore(self._folder / JOURNAL)
        return self._tasks

    def relative(self, folder: Path) -> str:
        """Where a step's result lies within the run directory."""
        return folder.relative_to(self._folder.absolute()).as_posix()

    def finish(self) -> None:
        """Every step has asked what it had to: what none of them asked for is wanted no more."""
        if self._tasks is not None or has_tasks(self._folder / JOURNAL):
            self.tasks.retire(self._places)

    def take(self, paths: Sequence[Path]) -> str:
        """Take in answers to request files, and say in a line what came of it. Raises :class:`DiagnosticError`."""
        path = self._folder / JOURNAL
        answers = batch.read(path, paths)
        with Journal(path) as journal:
            journal.record(list(answers.found.values()))
        batch.taken(path, answers)
        return answers.summary()


@dataclass(frozen=True)
class _Context:
    """See :class:`hcmlang.engines.base.EngineContext`."""

    desk: Desk
    source: str
    purpose: str

    @property
    def folder(self) -> Path:
        return self.desk.folder

    @property
    def journal(self) -> Journal:
        return self.desk.journal

    @property
    def accountant(self) -> Accountant:
        return self.desk.accountant

    def note(self, text: str) -> None:
        self.desk.note(text)

    def shared(self, key: str, make: Callable[[], T]) -> T:
        return self.desk.shared(key, make)
