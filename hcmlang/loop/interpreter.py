"""Runs a plan: each step once, results reused where they are already there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hcmlang.engines.wire import AnswersWanted, BudgetSpent
from hcmlang.loop.desk import Desk
from hcmlang.loop.graph import Step
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.store import Artifact, Store
from hcmlang.loop.work import Action, Work
from hcmlang.progress import SILENT, Progress


@dataclass
class Outcome:
    """How far a plan came. Where something is wanted or spent, the steps behind it are left out."""

    results: dict[str, Artifact] = field(default_factory=dict)
    """By step name."""
    wanted: list[AnswersWanted] = field(default_factory=list)
    spent: BudgetSpent | None = None


def execute(plan: Sequence[Step], store: Store, desk: Desk, progress: Progress = SILENT) -> Outcome:
    """Run every step of the plan that has no result yet, in order.

    A step that cannot go on, for want of answers or of budget, holds up only those that need its result: a run asks at once
    for all that it can ask for, and finishes what costs nothing.
    """
    outcome = Outcome()
    used: list[str] = []
    made: set[str] = set()
    reused = 0
    for number, step in enumerate(plan, start=1):
        if any(name not in outcome.results for name in step.inputs.values()):
            continue
        inputs = {role: outcome.results[name] for role, name in step.inputs.items()}
        action = ACTIONS[step.action]
        key = store.key(step, action.version, inputs)
        used.append(key)
        found = store.find(key)
        if found is None:
            progress.note(f"[{number}/{len(plan)}] {step.title}")
            folders = {role: artifact.folder for role, artifact in inputs.items()}
            work = partial(_run, action, step, folders, progress, desk)
            try:
                found = store.make(key, step, inputs, work)
            except AnswersWanted as wanted:
                outcome.wanted.append(wanted)
                continue
            except BudgetSpent as spent:
                outcome.spent = outcome.spent or spent
                continue
            made.add(key)
        elif key not in made:
            reused += 1
        outcome.results[step.name] = found
    desk.finish()
    if len(outcome.results) == len(plan):
        store.use(used)
    if reused:
        progress.note(f"{reused} of {len(plan)} steps were already done")
    return outcome


def _run(action: Action, step: Step, inputs: Mapping[str, Path], progress: Progress, desk: Desk, out: Path) -> None:
    action.run(Work(step.config, inputs, step.handles, out, progress, desk))
