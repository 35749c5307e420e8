"""Runs the steps of a plan at once with each other.

Two threads work together. The one that calls :func:`drive` runs the steps that stay at home, one after another, so that Ctrl-C
breaks off what they wait for. The other hands out all other steps, takes what comes back, and is alone in using the store.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.loop import job
from hcmlang.loop.agenda import Agenda, Task
from hcmlang.loop.desk import Desk
from hcmlang.loop.job import Done, Executor
from hcmlang.loop.storage import Storage
from hcmlang.loop.store import Store
from hcmlang.progress import Progress

_Ended: TypeAlias = tuple[Task, "Done | BaseException"]


def drive(agenda: Agenda, store: Store, desk: Desk, progress: Progress, executor: Executor) -> None:
    """Run what is on the agenda. Raises what a step raises, when the steps at home that were begun have ended; what others
    have finished until then is kept."""
    ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
    home: queue.SimpleQueue[Task | BaseException | None] = queue.SimpleQueue()
    hand_out = partial(_hand_out, agenda, store.storage, progress, executor, ended, home)
    thread = threading.Thread(target=hand_out, name="hcmlang-schedule", daemon=True)
    thread.start()
    try:
        while (task := home.get()) is not None:
            if isinstance(task, BaseException):
                raise task
            progress.note(f"[{task.number}/{agenda.size}] {task.step.title}")
            try:
                ended.put((task, job.run(task.job, store.storage, progress, desk)))
            except (AnswersWanted, BudgetSpent) as why:
                ended.put((task, why))
    finally:
        ended.put(None)
        thread.join()


def _hand_out(
    agenda: Agenda,
    storage: Storage,
    progress: Progress,
    executor: Executor,
    ended: queue.SimpleQueue[_Ended | None],
    home: queue.SimpleQueue[Task | BaseException | None],
) -> None:
    """Work off the agenda until nothing is under way, or somebody puts None into `ended`. The last thing that comes `home` is
    None, or the error that ended it."""
    under_way = 0
    try:
        while True:
            while (task := agenda.take()) is not None:
                under_way += 1
                if job.at_home(task.step, executor.elsewhere):
                    home.put(task)
                    continue
                for artifact in task.inputs.values():
                    storage.share(artifact)
                executor.submit(task.job).add_done_callback(partial(_report, ended, task))
            if not under_way:
                break
            one = ended.get()
            if one is None:
                return
            under_way -= 1
            task, result = one
            if isinstance(result, Done):
                agenda.finish(task, result)
                progress.note(f"[{task.number}/{agenda.size}] {task.step.title}: {result.seconds:.1f} s")
            elif isinstance(result, AnswersWanted | BudgetSpent):
                agenda.hold(task, result)
            else:
                raise result
    except BaseException as error:  # noqa: BLE001  it is raised where the run was started
        with suppress(queue.Empty):  # nobody is to be asked in vain
            while True:
                home.get_nowait()
        home.put(error)
        _finish(agenda, ended)
    else:
        home.put(None)


def _finish(agenda: Agenda, ended: queue.SimpleQueue[_Ended | None]) -> None:
    """Enter what else has ended, until the run is over."""
    while (one := ended.get()) is not None:
        if isinstance(one[1], Done):
            with suppress(DiagnosticError):  # the first error is told
                agenda.finish(one[0], one[1])


def _report(ended: queue.SimpleQueue[_Ended | None], task: Task, future: Future[Done]) -> None:
    if not future.cancelled():
        ended.put((task, future.exception() or future.result()))
