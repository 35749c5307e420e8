"""The engines and people that the steps of a run ask. Paid models go through the run's journal and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hcmlang.engines.base import Engine
from hcmlang.engines.hosted import request_files
from hcmlang.engines.hosted.journal import Journal
from hcmlang.engines.hosted.spending import Accountant
from hcmlang.hashing import content_key
from hcmlang.progress import Progress
from hcmlang.run.files import JOURNAL
from hcmlang.spec.kinds import EngineKind
from hcmlang.spec.model import Budget
from hcmlang.teachers.annotation.store import TaskStore, has_tasks
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer, PeopleWanted

T = TypeVar("T")


class Providers:
    """The engines and people of one run. Use as a context manager.

    `folder` is the run directory. The journal is opened when a step first needs a paid model or people.
    """

    def __init__(self, folder: Path, budget: Budget | None, progress: Progress) -> None:
        self.folder = folder
        self._budget = budget
        self._progress = progress
        self._journal: Journal | None = None
        self._accountant: Accountant | None = None
        self._shared: dict[str, Any] = {}
        self._tasks: TaskStore | None = None
        self._places: list[str] = []

    def __enter__(self) -> Providers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._tasks is not None:
            self._tasks.close()

    def engine(self, kind: EngineKind, source: str, purpose: str) -> Engine:
        """An engine. It is not kept: a local model would take the memory that the classifier needs. Calls to a hosted model
        go through the journal and the budget; `source` and `purpose` sort the bill.

        Raises :class:`DiagnosticError` when the engine is not available, and what :meth:`Transport.send` raises.
        """
        return kind.make(_EngineContext(self, source, purpose))

    @property
    def journal(self) -> Journal:
        """The journal of the run's calls."""
        if self._journal is None:
            self._journal = Journal(self.folder / JOURNAL)
            self._accountant = Accountant(self._budget, self._journal.spent())
            self._journal.used = self._accountant.used
        return self._journal

    @property
    def accountant(self) -> Accountant:
        """The budget of the run, which starts with what the journal says was spent."""
        _ = self.journal
        assert self._accountant is not None, "the journal makes it"
        return self._accountant

    def note(self, text: str) -> None:
        """Show a line to the user."""
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
        """A function that asks people on behalf of a step: it takes tasks and returns the answers to each by key. It raises
        :class:`PeopleWanted` while answers are missing. `context` is what answers are checked with."""

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
        """The tasks for people in this run, and their answers."""
        if self._tasks is None:
            self._tasks = TaskStore(self.folder / JOURNAL)
        return self._tasks

    def relative(self, folder: Path) -> str:
        """The path of a step's result within the run directory."""
        return folder.relative_to(self.folder.absolute()).as_posix()

    def finish(self) -> None:
        """Call this when all steps have asked: tasks that no step asked for are withdrawn."""
        if self._tasks is not None or has_tasks(self.folder / JOURNAL):
            self.tasks.retire(self._places)

    def take(self, paths: Sequence[Path]) -> str:
        """Record answers to request files and return a summary in one line. Raises :class:`DiagnosticError`."""
        path = self.folder / JOURNAL
        answers = request_files.read(path, paths)
        with Journal(path) as journal:
            journal.record(list(answers.found.values()))
        request_files.taken(path, answers)
        return answers.summary()


@dataclass(frozen=True)
class _EngineContext:
    """See :class:`hcmlang.engines.base.EngineContext`."""

    providers: Providers
    source: str
    purpose: str

    @property
    def folder(self) -> Path:
        return self.providers.folder

    @property
    def journal(self) -> Journal:
        return self.providers.journal

    @property
    def accountant(self) -> Accountant:
        return self.providers.accountant

    def note(self, text: str) -> None:
        self.providers.note(text)

    def shared(self, key: str, make: Callable[[], T]) -> T:
        return self.providers.shared(key, make)
