"""Where the steps of a run get their engines; those that cost money go through the run's journal and budget."""

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
from hcmlang.loop.store import JOURNAL
from hcmlang.progress import Progress
from hcmlang.spec.model import BatchEngine, Budget, EngineConfig, HostedEngine, OpenAIEngine, ReplayEngine
from hcmlang.teachers.asked import Answer, PeopleWanted, Task
from hcmlang.teachers.tasks import Tasks, has_tasks

#: Where request files lie in a run directory.
BATCH = "batch"

_SAID = {
    "structured_outputs": "the server keeps programs (structured_outputs); every answer is tested all the same",
    "grammar": "the server keeps programs (grammar); every answer is tested all the same",
    "json_schema": "the server keeps JSON Schemas; what they cannot say is tested, and asked for anew where it fails",
    "none": "the server keeps no constraint: every answer is tested, and asked for anew where it fails",
}


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
        self._transports: dict[str, Transport] = {}
        self._ways: dict[str, Constraints] = {}
        self._tasks: Tasks | None = None
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

    def engine(self, config: EngineConfig, arm: str, purpose: str) -> Engine:
        """The engine of an arm. A model that costs is asked through the journal and within the budget; `arm` and `purpose`
        sort the bill.

        Raises :class:`DiagnosticError` where it cannot be had, and what :meth:`Transport.send` raises.
        """
        if not isinstance(config, OpenAIEngine | BatchEngine | ReplayEngine):
            return engines.make(config)  # and not kept: its memory is wanted by the classifier
        name = config.model_dump_json()
        hosted = config.engine if isinstance(config, ReplayEngine) else config
        if name not in self._transports:
            self._transports[name] = self._transport(config)
        transport = self._transports[name]
        if name not in self._ways:
            self._ways[name] = self._negotiated(hosted, transport, arm)
        return ChatModel(hosted, transport, self._ways[name], arm, purpose)

    def people(self, job: str, context: Mapping[str, Any]) -> Callable[[Sequence[Task]], dict[str, list[Answer]]]:
        """The way to people for a step: it puts tasks before them, and returns the answers to each by key. It raises
        :class:`PeopleWanted` while some are missing. `context` is what answers are checked with."""

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
        """What people are asked in this run, and what they answered."""
        if self._tasks is None:
            self._tasks = Tasks(self._folder / JOURNAL)
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

    def _negotiated(self, config: HostedEngine, transport: Transport, arm: str) -> Constraints:
        assert isinstance(config, OpenAIEngine | BatchEngine)
        if config.constraints != "auto":
            return config.constraints
        way = negotiate(config, transport, arm)
        self._progress.note(f"{arm}: {_SAID[way]}")
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

        return Journaled(Client(config, account, self._tell), self._journal)

    def _tell(self, note: Diagnostic) -> None:
        self._progress.note(render([note]))
