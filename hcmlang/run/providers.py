"""The engines and people that the steps of a run ask. Paid models go through the run's journal and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hcmlang import engines
from hcmlang.diagnostics import Diagnostic, render
from hcmlang.engines import batch
from hcmlang.engines.base import Engine
from hcmlang.engines.budget import Accountant
from hcmlang.engines.chat import ChatModel, Constraints, negotiate
from hcmlang.engines.journal import Journal, Journaled
from hcmlang.engines.recording import Replay
from hcmlang.engines.wire import Transport
from hcmlang.hashing import content_key
from hcmlang.progress import Progress
from hcmlang.run.files import JOURNAL
from hcmlang.spec.model import BatchEngine, Budget, EngineConfig, HostedEngine, OpenAIEngine, ReplayEngine
from hcmlang.teachers.asked import Answer, PeopleWanted, Task
from hcmlang.teachers.tasks import Tasks, has_tasks

#: The folder of request files in a run directory.
BATCH = "batch"

_CONSTRAINTS_IN_WORDS = {
    "structured_outputs": "the server enforces programs (structured_outputs); every answer is checked as well",
    "grammar": "the server enforces programs (grammar); every answer is checked as well",
    "json_schema": "the server enforces JSON Schemas; all other constraints are checked, and failed answers requested again",
    "none": "the server enforces no constraint: every answer is checked, and failed answers are requested again",
}


class Providers:
    """The engines and people of one run. Use as a context manager.

    `folder` is the run directory. The journal is opened when a step first needs a paid model or people.
    """

    def __init__(self, folder: Path, budget: Budget | None, progress: Progress) -> None:
        self._folder = folder
        self._budget = budget
        self._progress = progress
        self._journal: Journal | None = None
        self._accountant: Accountant | None = None
        self._transports: dict[str, Transport] = {}
        self._ways: dict[str, Constraints] = {}
        self._tasks: Tasks | None = None
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

    def engine(self, config: EngineConfig, arm: str, purpose: str) -> Engine:
        """An engine. Calls to a paid model go through the journal and the budget; costs are reported by `arm` and `purpose`.

        Raises :class:`DiagnosticError` when the engine is not available, and what :meth:`Transport.send` raises.
        """
        if not isinstance(config, OpenAIEngine | BatchEngine | ReplayEngine):
            return engines.make(config)  # not kept: the classifier needs its memory
        name = config.model_dump_json()
        hosted = config.engine if isinstance(config, ReplayEngine) else config
        if name not in self._transports:
            self._transports[name] = self._transport(config)
        transport = self._transports[name]
        if name not in self._ways:
            self._ways[name] = self._negotiated(hosted, transport, arm)
        return ChatModel(hosted, transport, self._ways[name], arm, purpose)

    def people(self, job: str, context: Mapping[str, Any]) -> Callable[[Sequence[Task]], dict[str, list[Answer]]]:
        """A function that asks people on behalf of a step: it takes tasks and returns the answers to each by key. It raises
        :class:`PeopleWanted` while answers are missing. `context` is what answers are checked with."""

        def ask(tasks: Sequence[Task]) -> dict[str, list[Answer]]:
            place = f"{job}/{content_key(sorted({task.key for task in tasks}))[:16]}"
            answers = self.tasks.want(place, tasks, context)
            missing = self.tasks.open(place)
            if missing:
                self._places.append(place)
                raise PeopleWanted(missing, self.tasks.missing(place))
            return answers

        return ask

    @property
    def tasks(self) -> Tasks:
        """The tasks for people in this run, and their answers."""
        if self._tasks is None:
            self._tasks = Tasks(self._folder / JOURNAL)
        return self._tasks

    def relative(self, folder: Path) -> str:
        """The path of a step's result within the run directory."""
        return folder.relative_to(self._folder.absolute()).as_posix()

    def finish(self) -> None:
        """Call this when all steps have asked: tasks that no step asked for are withdrawn."""
        if self._tasks is not None or has_tasks(self._folder / JOURNAL):
            self.tasks.retire(self._places)

    def take(self, paths: Sequence[Path]) -> str:
        """Record answers to request files and return a summary in one line. Raises :class:`DiagnosticError`."""
        path = self._folder / JOURNAL
        answers = batch.read(path, paths)
        with Journal(path) as journal:
            journal.record(list(answers.found.values()))
        batch.taken(path, answers)
        return answers.summary()

    def _negotiated(self, config: HostedEngine, transport: Transport, arm: str) -> Constraints:
        assert isinstance(config, OpenAIEngine | BatchEngine)
        if config.constraints != "auto":
            return config.constraints
        way = negotiate(config, transport, arm)
        self._progress.note(f"{arm}: {_CONSTRAINTS_IN_WORDS[way]}")
        return way

    def _transport(self, config: OpenAIEngine | BatchEngine | ReplayEngine) -> Transport:
        path = self._folder / JOURNAL
        if self._journal is None or self._accountant is None:
            self._journal = Journal(path)
            self._accountant = Accountant(self._budget, self._journal.spent())
            self._journal.used = self._accountant.used
        if isinstance(config, ReplayEngine):
            return Journaled(Replay(Path(config.recording)), self._journal)
        account = self._accountant.priced(config.price)
        if isinstance(config, BatchEngine):
            for request in batch.waiting(path):
                if request.body.get("model") == config.model:
                    account.reserve(request)
            return Journaled(batch.RequestFiles(path, self._folder / BATCH, account), self._journal)
        from hcmlang.engines.client import Client

        return Journaled(Client(config, account, self._note), self._journal)

    def _note(self, note: Diagnostic) -> None:
        self._progress.note(render([note]))
