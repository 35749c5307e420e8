"""Copy the results of a run to the top of its run directory."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from hcmlang.files import atomic_file, atomic_folder, write_text
from hcmlang.hashing import content_key
from hcmlang.loop.plan import RunPlan
from hcmlang.run.files import METRICS, MODEL, SPEC
from hcmlang.run.step import Step
from hcmlang.run.storage import Artifact
from hcmlang.run.store import Store
from hcmlang.spec.dump import to_yaml
from hcmlang.spec.model import Spec

_PUBLISHED = "published"


def is_published(spec: Spec, plan: RunPlan, results: Mapping[Step, Artifact], store: Store) -> bool:
    """Whether the run directory already shows these results."""
    return store.fact(_PUBLISHED) == _mark(spec, plan, results) and (store.folder / MODEL).is_dir()


def publish_spec(spec: Spec, store: Store) -> None:
    """Write the spec before anything else: a run that waits resumes from it."""
    write_text(store.folder / SPEC, to_yaml(spec.resolved()))


def publish(spec: Spec, plan: RunPlan, results: Mapping[Step, Artifact], store: Store) -> None:
    """Copy the collected results and the model of the plan to the top of the run directory."""
    publish_spec(spec, store)
    with atomic_folder(store.folder / MODEL) as folder:
        shutil.copytree(store.path(results[plan.model]) / MODEL, folder, dirs_exist_ok=True)
    # metrics.json marks a run as finished, so it comes last.
    for path in sorted(store.path(results[plan.results]).iterdir(), key=lambda p: (p.name == METRICS, p.name)):
        with atomic_file(store.folder / path.name) as work:
            shutil.copyfile(path, work)


def mark_published(spec: Spec, plan: RunPlan, results: Mapping[Step, Artifact], store: Store) -> None:
    """Remember that the run directory shows these results, its report included."""
    store.remember(_PUBLISHED, _mark(spec, plan, results))


def _mark(spec: Spec, plan: RunPlan, results: Mapping[Step, Artifact]) -> str:
    # The report shows the whole spec, also keys that change no result.
    return f"{results[plan.results].digest} {results[plan.model].digest} {content_key(spec.resolved())}"
