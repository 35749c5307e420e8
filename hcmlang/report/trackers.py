"""A finished run in an experiment tracker: MLflow, Weights & Biases or TensorBoard, through the library's own calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import atomic_folder
from hcmlang.report.html import REPORT
from hcmlang.run.results import Results

TENSORBOARD = "tensorboard"
#: Measures that are logged for every set, arm and seed, besides HCMs at each threshold.
_MEASURES = ("accuracy", "macro_f1", "hcms_at_matched_coverage", "area_under_risk_coverage", "calibration_error")

Value = str | int | float | bool


class _Refused(Exception):
    """A tracker did not take a run, for the reason that its library gave."""


@dataclass(frozen=True)
class Record:
    """What a tracker is told."""

    name: str
    parameters: dict[str, Value]
    by_seed: dict[int, dict[str, float]]
    """For each seed `SET/ARM/MEASURE`."""
    overall: dict[str, float]
    """`SET/ARM/mean/MEASURE`, and `SET/ARM/difference/MEASURE/END` with the ends of its interval."""


def record_of(results: Results) -> Record:
    """The numbers of a run under flat names. What a run does not have, such as intervals with one seed, is left out."""
    metrics, spec = results.metrics, results.spec
    by_seed: dict[int, dict[str, float]] = {seed: {} for seed in metrics["seeds"]}
    overall: dict[str, float] = {}
    for name, one in metrics["sets"].items():
        for arm, entry in one["arms"].items():
            for seed, measures in zip(metrics["seeds"], entry["seeds"], strict=True):
                by_seed[seed] |= _measures(f"{name}/{arm}", measures)
            overall |= _measures(f"{name}/{arm}/mean", entry["mean"])
            for measure, difference in (entry.get("difference") or {}).items():
                ends = {end: difference.get(end) for end in ("mean", "low", "high", "p", "p_holm")}
                overall |= _numbers({f"{name}/{arm}/difference/{measure}/{end}": v for end, v in ends.items()})
    parameters: dict[str, Value] = {"name": metrics["name"], "hcmlang": metrics["hcmlang"]}
    parameters |= {f"classifier.{key}": value for key, value in spec["classifier"].items()}
    parameters |= {"confidence": metrics["confidence"]}
    parameters |= {key: ", ".join(map(str, metrics[key])) for key in ("seeds", "arms", "teachers")}
    parameters |= {f"arm.{arm}.by": how["by"] for arm, how in metrics["arm_of"].items() if how.get("by")}
    return Record(metrics["name"], parameters, by_seed, overall)


def _measures(prefix: str, measures: dict[str, Any]) -> dict[str, float]:
    found = {f"{prefix}/{name}": measures[name] for name in _MEASURES}
    found |= {f"{prefix}/hcms/{threshold}": count for threshold, count in measures["hcms"].items()}
    return _numbers(found)


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _to_tensorboard(record: Record, results: Results) -> str:
    """Into the run directory; logged again, a run stands there once."""
    from torch.utils.tensorboard import SummaryWriter

    target = results.folder / TENSORBOARD
    with atomic_folder(target) as folder, SummaryWriter(str(folder)) as writer:
        for seed, values in record.by_seed.items():
            for name, value in values.items():
                writer.add_scalar(name, value, seed)
        # This writes the scalars too; the name keeps them in the same folder.
        writer.add_hparams(record.parameters, record.overall, run_name=".")
    return str(target)


def _to_mlflow(record: Record, results: Results) -> str:
    import mlflow

    try:
        # In a notebook there may be a run already; ours belongs to it then.
        with mlflow.start_run(run_name=record.name, nested=mlflow.active_run() is not None) as run:
            mlflow.log_params(record.parameters)
            for seed, values in record.by_seed.items():
                mlflow.log_metrics(values, step=seed)
            mlflow.log_metrics(record.overall)
            mlflow.log_artifact(str(results.folder / REPORT))
    except mlflow.MlflowException as error:
        raise _Refused(str(error)) from error
    return f"{mlflow.get_tracking_uri()}, run {run.info.run_id}"


def _to_wandb(record: Record, results: Results) -> str:
    import wandb

    # The library reads WANDB_PROJECT itself, but not where a project is given.
    project = None if os.environ.get("WANDB_PROJECT") else "hcmlang"
    settings = wandb.Settings(silent=True)
    try:
        with wandb.init(
            name=record.name, project=project, config=record.parameters, settings=settings, reinit="create_new"
        ) as run:
            run.define_metric("seed")
            run.define_metric("*", step_metric="seed")
            for seed, values in record.by_seed.items():
                run.log({"seed": seed, **values})
            run.summary.update(record.overall)
            report = wandb.Artifact(f"{record.name}-report", "report")
            report.add_file(str(results.folder / REPORT))
            run.log_artifact(report)
            place = run.url or str(run.settings.sync_dir)
    except wandb.errors.Error as error:
        raise _Refused(str(error)) from error
    return place


def _needs_tensorboard() -> None:
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401


# Run folders of these libraries may lie in the working directory under the library's name, and such a folder can be
# imported; only the library has the function.
def _needs_mlflow() -> None:
    from mlflow import start_run  # noqa: F401


def _needs_wandb() -> None:
    from wandb import init  # noqa: F401


@dataclass(frozen=True)
class _Tracker:
    needs: Callable[[], None]
    """Raises ImportError where the library is missing."""
    log: Callable[[Record, Results], str]
    """Logs, and returns where; raises :class:`_Refused` or OSError."""


_TRACKERS = {
    "mlflow": _Tracker(_needs_mlflow, _to_mlflow),
    "wandb": _Tracker(_needs_wandb, _to_wandb),
    TENSORBOARD: _Tracker(_needs_tensorboard, _to_tensorboard),
}


def require(trackers: Collection[str]) -> None:
    """Check that the trackers (`mlflow`, `wandb`, `tensorboard`) can be used, before there is anything to log.

    Raises :class:`DiagnosticError` where a library is missing.
    """
    missing = []
    for name in trackers:
        try:
            _tracker(name).needs()
        except ImportError as error:
            message = f"logging to {name} needs a package that is not there: {error}"
            missing.append(Diagnostic("missing-package", message, hint=f"pip install 'hcmlang[{name}]'"))
    if missing:
        raise DiagnosticError(missing)


def log(tracker: str, results: Results) -> str:
    """Log a finished run to a tracker, at the place that its library is set to; returns where that is.

    Raises :class:`DiagnosticError` where the library is missing, or does not take the run.
    """
    require([tracker])
    try:
        return _tracker(tracker).log(record_of(results), results)
    except (OSError, _Refused) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = f"the results are kept in {results.folder}; the same command logs them again"
        raise DiagnosticError(
            Diagnostic("not-logged", f"cannot log the run to {tracker}: {said}", hint=hint)
        ) from error


def _tracker(name: str) -> _Tracker:
    if name not in _TRACKERS:
        raise ValueError(f"no tracker {name}; there are {', '.join(_TRACKERS)}")
    return _TRACKERS[name]
