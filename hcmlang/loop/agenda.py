"""What of a plan is still to be run, whoever runs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.loop import job
from hcmlang.loop.graph import Step
from hcmlang.loop.job import Done, Job
from hcmlang.loop.schedule import Schedule
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.storage import Artifact
from hcmlang.loop.store import Store, named


@dataclass
class Outcome:
    """How far a plan came. Where something is wanted or spent, the steps behind it are left out."""

    results: dict[str, Artifact] = field(default_factory=dict)
    """By step name."""
    wanted: list[AnswersWanted] = field(default_factory=list)
    spent: BudgetSpent | None = None


@dataclass(frozen=True)
class Task:
    """A step that is to be run now."""

    number: int
    """Its place in the plan, from 1."""
    step: Step
    key: str
    inputs: Mapping[str, Artifact]

    @property
    def job(self) -> Job:
        return Job(self.step, named(self.step, self.key), self.inputs)


class Agenda:
    """What of a plan is still to be run, and what has come of it so far."""

    def __init__(self, plan: Sequence[Step], store: Store) -> None:
        self.size = len(plan)
        self.outcome = Outcome()
        self.used: list[str] = []
        self.reused = 0
        self._store = store
        self._schedule = Schedule(plan)
        self._place = {step.name: number for number, step in enumerate(plan, start=1)}
        self._made: set[str] = set()
        self._under_way: set[str] = set()
        self._alike: defaultdict[str, list[Step]] = defaultdict(list)
        """Steps with the same key as one that is under way."""

    def take(self) -> Task | None:
        """The next step that can be run and has no result; None where there is none now."""
        while (step := self._schedule.take()) is not None:
            inputs = {role: self.outcome.results[name] for role, name in step.inputs.items()}
            key = self._store.key(step, ACTIONS[step.action].version, inputs)
            if key in self._under_way:
                self._alike[key].append(step)
                continue
            self.used.append(key)
            found = self._store.find(key)
            if found is None and not job.asks(step):
                found = self._store.adopt(key, step, inputs)
            if found is None:
                self._under_way.add(key)
                return Task(self._place[step.name], step, key, inputs)
            self.reused += key not in self._made
            self._keep(step, found)
        return None

    def finish(self, task: Task, done: Done) -> None:
        """Enter the result of a step that was taken."""
        self._made.add(task.key)
        self._store.enter(task.key, task.step, task.inputs, done.result, done.seconds)
        self._keep(task.step, done.result)
        self._release(task.key)

    def hold(self, task: Task, why: AnswersWanted | BudgetSpent) -> None:
        """A step that was taken cannot go on."""
        if isinstance(why, AnswersWanted):
            self.outcome.wanted.append(why)
        else:
            self.outcome.spent = self.outcome.spent or why
        self._release(task.key)

    def _keep(self, step: Step, result: Artifact) -> None:
        self.outcome.results[step.name] = result
        self._schedule.done(step.name)

    def _release(self, key: str) -> None:
        self._under_way.discard(key)
        for step in self._alike.pop(key, ()):
            self._schedule.put_back(step.name)
