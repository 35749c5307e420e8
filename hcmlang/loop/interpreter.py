"""Runs a plan: each step once, results reused where they are already there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hcmlang.loop.plan import Step
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.work import Work
from hcmlang.loop.store import Artifact, Store
from hcmlang.progress import SILENT, Progress


def execute(plan: Sequence[Step], store: Store, progress: Progress = SILENT) -> dict[str, Artifact]:
    """Run every step of the plan that has no result yet, in order; return all results by step name."""
    results: dict[str, Artifact] = {}
    for number, step in enumerate(plan, start=1):
        inputs = {role: results[name] for role, name in step.inputs.items()}
        action = ACTIONS[step.action]
        key = store.key(step, action.version, inputs)
        found = store.find(key)
        if found is None:
            progress.note(f"[{number}/{len(plan)}] {step.title}")
            folders = {role: artifact.folder for role, artifact in inputs.items()}

            def work(out: Path, step: Step = step, folders: dict[str, Path] = folders) -> None:
                action.run(Work(step.config, folders, step.handles, out, progress))

            found = store.make(key, step, inputs, work)
        results[step.name] = found
    reused = sum(artifact.reused for artifact in results.values())
    if reused:
        progress.note(f"{reused} of {len(plan)} steps were already done")
    return results
