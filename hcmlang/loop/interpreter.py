"""Runs a plan: each step once, results reused where they are already there."""

from __future__ import annotations

from collections.abc import Sequence

from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.loop import job
from hcmlang.loop.agenda import Agenda, Outcome
from hcmlang.loop.desk import Desk
from hcmlang.loop.graph import Step
from hcmlang.loop.job import Executor
from hcmlang.loop.parallel import drive
from hcmlang.loop.store import Store
from hcmlang.progress import SILENT, Progress


def execute(
    plan: Sequence[Step], store: Store, desk: Desk, progress: Progress = SILENT, executor: Executor | None = None
) -> Outcome:
    """Run every step of the plan that has no result yet: in order, or with an executor, whatever can be run at once.

    A step that cannot go on, for want of answers or of budget, holds up only those that need its result: a run asks at once
    for all that it can ask for, and finishes what costs nothing.
    """
    agenda = Agenda(plan, store)
    if executor is not None:
        drive(agenda, store, desk, progress, executor)
    else:
        while (task := agenda.take()) is not None:
            progress.note(f"[{task.number}/{len(plan)}] {task.step.title}")
            try:
                agenda.finish(task, job.run(task.job, store.storage, progress, desk))
            except (AnswersWanted, BudgetSpent) as why:
                agenda.hold(task, why)
    desk.finish()
    if len(agenda.outcome.results) == len(plan):
        store.use(agenda.used)
    if agenda.reused:
        progress.note(f"{agenda.reused} of {len(plan)} steps were already done")
    return agenda.outcome
