"""Runs a plan: each step once and after its inputs. Results that are already there are reused.

With an executor, two threads work together. The thread that calls :func:`execute` runs the steps that the executor does not
take, one after another, so that Ctrl-C interrupts them. The other thread submits all other steps, takes their results, and is
the only one that uses the store.
"""

from __future__ import annotations

import heapq
import queue
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.progress import SILENT, Progress
from hcmlang.run.executor import Done, Executor, Job, perform
from hcmlang.run.providers import Providers
from hcmlang.run.step import Step
from hcmlang.run.storage import Artifact, Storage
from hcmlang.run.store import Store, folder_name


@dataclass
class Execution:
    """How far a plan came. A step that waits for answers or for budget has no result, and neither have those that need it."""

    results: dict[Step, Artifact] = field(default_factory=dict)
    waiting: list[AnswersWanted] = field(default_factory=list)
    budget_spent: BudgetSpent | None = None


def execute(
    plan: Sequence[Step],
    store: Store,
    providers: Providers,
    progress: Progress = SILENT,
    executor: Executor | None = None,
) -> Execution:
    """Run every step of the plan that has no result yet: in order, or with an executor concurrently.

    A step that must wait, for answers or for budget, delays only the steps that need its result. So a run asks for everything
    that it can ask for at once, and finishes what costs nothing.
    """
    scheduler = Scheduler(plan, store)
    if executor is not None:
        _Concurrent(scheduler, store.storage, providers, progress, executor).run()
    else:
        while (step := scheduler.take()) is not None:
            progress.note(step.title)
            try:
                scheduler.finish(step, perform(step.job, store.storage, progress, providers))
            except (AnswersWanted, BudgetSpent) as reason:
                scheduler.wait(step, reason)
    providers.finish()
    if len(scheduler.execution.results) == len(plan):
        store.use(scheduler.used)
    if scheduler.reused:
        progress.note(f"{scheduler.reused} of {len(plan)} steps were already done")
    return scheduler.execution


class Schedule:
    """Which steps of a plan can run: those whose inputs are done, the earliest in the plan first."""

    def __init__(self, plan: Sequence[Step]) -> None:
        self._plan = plan
        self._place = {step: number for number, step in enumerate(plan)}
        self._missing = [len(set(step.inputs.values())) for step in plan]
        self._needed_by: defaultdict[Step, list[int]] = defaultdict(list)
        for number, step in enumerate(plan):
            for needed in set(step.inputs.values()):
                self._needed_by[needed].append(number)
        self._ready = [number for number, missing in enumerate(self._missing) if not missing]

    def take(self) -> Step | None:
        """The next step that can run; None if there is none now."""
        return self._plan[heapq.heappop(self._ready)] if self._ready else None

    def done(self, step: Step) -> None:
        """The result of a step is there."""
        for number in self._needed_by[step]:
            self._missing[number] -= 1
            if not self._missing[number]:
                heapq.heappush(self._ready, number)

    def put_back(self, step: Step) -> None:
        """Make a step that was taken available again."""
        heapq.heappush(self._ready, self._place[step])


@dataclass(frozen=True)
class ReadyStep:
    """A step that must run now."""

    step: Step
    key: str
    """Of its content: the step and the content of its inputs."""
    inputs: Mapping[str, Artifact]
    """By role."""
    title: str
    """With its place in the plan."""

    @property
    def job(self) -> Job:
        artifacts = {self.step.inputs[role].identity: artifact for role, artifact in self.inputs.items()}
        return Job(self.step.detached(), folder_name(self.step, self.key), artifacts)


class Scheduler:
    """What is left of a plan, and its results so far."""

    def __init__(self, plan: Sequence[Step], store: Store) -> None:
        self.execution = Execution()
        self.used: list[str] = []
        """Content keys of the results that the plan consists of."""
        self.reused = 0
        self._store = store
        self._schedule = Schedule(plan)
        self._place = {step: f"[{number}/{len(plan)}]" for number, step in enumerate(plan, start=1)}
        self._made: set[str] = set()
        self._running: set[str] = set()
        self._same_key: defaultdict[str, list[Step]] = defaultdict(list)
        """Steps whose content key is that of a running one: they take its result."""

    def take(self) -> ReadyStep | None:
        """The next step that can run and has no result; None if there is none now."""
        while (step := self._schedule.take()) is not None:
            inputs = {role: self.execution.results[one] for role, one in step.inputs.items()}
            key = step.key({role: artifact.digest for role, artifact in inputs.items()})
            if key in self._running:
                self._same_key[key].append(step)
                continue
            self.used.append(key)
            result = self._store.find(key)
            if result is None and not step.needs().runs_on_driver:
                result = self._store.adopt(key, step, inputs)
            if result is None:
                self._running.add(key)
                return ReadyStep(step, key, inputs, f"{self._place[step]} {step.title}")
            self.reused += key not in self._made
            self._keep(step, result)
        return None

    def finish(self, ready: ReadyStep, done: Done) -> None:
        """Record the result of a step."""
        self._made.add(ready.key)
        self._store.enter(ready.key, ready.step, ready.inputs, done.result, done.seconds)
        self._keep(ready.step, done.result)
        self._release(ready.key)

    def wait(self, ready: ReadyStep, reason: AnswersWanted | BudgetSpent) -> None:
        """Record that a step cannot finish in this run."""
        if isinstance(reason, AnswersWanted):
            self.execution.waiting.append(reason)
        else:
            self.execution.budget_spent = self.execution.budget_spent or reason
        self._release(ready.key)

    def _keep(self, step: Step, result: Artifact) -> None:
        self.execution.results[step] = result
        self._schedule.done(step)

    def _release(self, key: str) -> None:
        self._running.discard(key)
        for step in self._same_key.pop(key, ()):
            self._schedule.put_back(step)


_Ended: TypeAlias = tuple[ReadyStep, "Done | BaseException"]


class _Concurrent:
    """A plan that an executor and the calling thread run together."""

    def __init__(
        self, scheduler: Scheduler, storage: Storage, providers: Providers, progress: Progress, executor: Executor
    ) -> None:
        self._scheduler = scheduler
        self._storage = storage
        self._providers = providers
        self._progress = progress
        self._executor = executor
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        """Results, from all threads. None tells the submitting thread that the run is over."""
        self._own: queue.SimpleQueue[ReadyStep | BaseException | None] = queue.SimpleQueue()
        """Steps for the calling thread; at last None, or the error that ended the run."""

    def run(self) -> None:
        """Run all steps. Raises what a step raises, once the step of the calling thread has ended; what others finished by then
        is kept."""
        thread = ThreadPoolExecutor(1, "hcmlang-schedule")
        thread.submit(self._submit_all).add_done_callback(self._end)
        try:
            while (step := self._own.get()) is not None:
                if isinstance(step, BaseException):
                    raise step
                self._progress.note(step.title)
                try:
                    self._ended.put((step, perform(step.job, self._storage, self._progress, self._providers)))
                except (AnswersWanted, BudgetSpent) as reason:
                    self._ended.put((step, reason))
        finally:
            self._ended.put(None)
            thread.shutdown()

    def _end(self, submitting: Future[None]) -> None:
        error = submitting.exception()
        if error is not None:
            with suppress(queue.Empty):  # steps that have not begun would cost money for nothing
                while True:
                    self._own.get_nowait()
        self._own.put(error)
        while error is not None and (ended := self._ended.get()) is not None:
            if isinstance(ended[1], Done):
                with suppress(DiagnosticError):  # the first error counts
                    self._scheduler.finish(ended[0], ended[1])

    def _submit_all(self) -> None:
        """Submit steps as they become ready, until none is left or the run is over."""
        running = 0
        while True:
            while (step := self._scheduler.take()) is not None:
                running += 1
                self._start(step)
            if not running or (ended := self._ended.get()) is None:
                return
            running -= 1
            step, result = ended
            if isinstance(result, Done):
                self._scheduler.finish(step, result)
                self._progress.note(f"{step.title}: {result.seconds:.1f} s")
            elif isinstance(result, AnswersWanted | BudgetSpent):
                self._scheduler.wait(step, result)
            else:
                raise result

    def _start(self, step: ReadyStep) -> None:
        if not self._executor.takes(step.step.needs()):
            self._own.put(step)
            return
        for artifact in step.inputs.values():
            self._storage.share(artifact)
        self._executor.submit(step.job).add_done_callback(partial(self._report, step))

    def _report(self, step: ReadyStep, future: Future[Done]) -> None:
        if not future.cancelled():
            self._ended.put((step, future.exception() or future.result()))
