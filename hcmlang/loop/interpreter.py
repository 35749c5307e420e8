"""Runs a plan: each step once, results reused where they are already there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hcmlang.loop.plan import Step
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.store import Artifact, Store
from hcmlang.loop.work import Action, Work
from hcmlang.progress import SILENT, Progress


def execute(plan: Sequence[Step], store: Store, progress: Progress = SILENT) -> dict[str, Artifact]:
    """Run every step of the plan that has no result yet, in order; return all results by step name."""
    results: dict[str, Artifact] = {}
    made: set[str] = set()
    reused = 0
    for number, step in enumerate(plan, start=1):
        inputs = {role: results[name] for role, name in step.inputs.items()}
        action = ACTIONS[step.action]
        key = store.key(step, action.version, inputs)
        found = store.find(key)
        if found is None:
            progress.note(f"[{number}/{len(plan)}] {step.title}")
            folders = {role: artifact.folder for role, artifact in inputs.items()}
            work = partial(_run, action, step, folders, progress)
            found = store.make(key, step, inputs, work)
            made.add(key)
        elif key not in made:
            reused += 1
        results[step.name] = found
    if reused:
        progress.note(f"{reused} of {len(plan)} steps were already done")
    return results


def _run(action: Action, step: Step, inputs: Mapping[str, Path], progress: Progress, out: Path) -> None:
    action.run(Work(step.config, inputs, step.handles, out, progress))
