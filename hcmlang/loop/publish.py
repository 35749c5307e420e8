"""The files of a run directory that are made for people, copied from the results of its steps."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from hcmlang.files import atomic_file, atomic_folder, write_text
from hcmlang.hashing import content_key
from hcmlang.loop.arms import model_step
from hcmlang.loop.storage import Artifact
from hcmlang.loop.store import Store
from hcmlang.loop.work import MODEL
from hcmlang.spec.dump import to_yaml
from hcmlang.spec.model import Spec

SPEC = "spec.yaml"
_PUBLISHED = "published"


def is_published(spec: Spec, results: Mapping[str, Artifact], store: Store) -> bool:
    """Whether the run directory already shows these results."""
    return store.fact(_PUBLISHED) == _mark(spec, results) and (store.folder / MODEL).is_dir()


def publish_spec(spec: Spec, store: Store) -> None:
    """Write down what the run follows, before anything else: a run that waits is taken up from there."""
    write_text(store.folder / SPEC, to_yaml(spec.resolved()))


def publish(spec: Spec, results: Mapping[str, Artifact], store: Store) -> None:
    """Copy the gathered results and one model to the top of the run directory.

    The model is that of the first seed and the first teacher's arm (the baseline where there is no teacher): choosing
    by a test result would make that result too good.
    """
    publish_spec(spec, store)
    with atomic_folder(store.folder / MODEL) as folder:
        shutil.copytree(store.path(results[_model_step(spec)]) / MODEL, folder, dirs_exist_ok=True)
    # metrics.json is what says that a run is finished, so it comes last.
    for path in sorted(store.path(results["results"]).iterdir(), key=lambda p: (p.name == "metrics.json", p.name)):
        with atomic_file(store.folder / path.name) as work:
            shutil.copyfile(path, work)


def mark_published(spec: Spec, results: Mapping[str, Artifact], store: Store) -> None:
    """Remember that the run directory shows these results, its report included."""
    store.remember(_PUBLISHED, _mark(spec, results))


def _mark(spec: Spec, results: Mapping[str, Artifact]) -> str:
    # The report shows the spec too, with keys that change no result.
    return f"{results['results'].digest} {results[_model_step(spec)].digest} {content_key(spec.resolved())}"


def _model_step(spec: Spec) -> str:
    arm = next(iter(spec.taught), None)
    return model_step(spec, arm or "none", spec.seeds[0])
