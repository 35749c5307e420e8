"""Log a finished run to an experiment tracker: MLflow, Weights & Biases or TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.evaluation.results import Results
from hcmlang.files import atomic_folder
from hcmlang.report.html import REPORT
from hcmlang.report.tables import ordered

TENSORBOARD = "tensorboard"

Value = str | int | float | bool


class _Refused(Exception):
    """A tracker refused a run, for the reason that its library gave."""


@dataclass(frozen=True)
class Record:
    """The numbers of a run, under flat names."""

    name: str
    parameters: dict[str, Value]
    by_seed: dict[int, dict[str, float]]
    """For each seed `SET/ARM/MEASURE`."""
    overall: dict[str, float]
    """`SET/ARM/mean/MEASURE`, and `SET/ARM/difference/MEASURE/END` with the ends of its interval."""


def record_of(results: Results) -> Record:
    """What trackers log of a run. Values that it does not have, such as intervals with one seed, are left out."""
    metrics, spec = results.metrics, results.spec
    names = [name for name, _ in ordered(metrics)]
    by_seed: dict[int, dict[str, float]] = {seed: {} for seed in metrics["seeds"]}
    overall: dict[str, float] = {}
    for name, compared in metrics["sets"].items():
        for arm, entry in compared["arms"].items():
            for seed, measures in zip(metrics["seeds"], entry["seeds"], strict=True):
                by_seed[seed] |= _values(f"{name}/{arm}", measures, names)
            overall |= _values(f"{name}/{arm}/mean", entry["mean"], names)
            for measure, difference in (entry.get("difference") or {}).items():
                ends = {end: difference.get(end) for end in ("mean", "low", "high", "p", "p_holm")}
                overall |= _numbers({f"{name}/{arm}/difference/{measure}/{end}": v for end, v in ends.items()})
    parameters: dict[str, Value] = {"name": metrics["name"], "hcmlang": metrics["hcmlang"]}
    parameters |= {f"classifier.{key}": value for key, value in spec["classifier"].items()}
    parameters |= {"confidence": metrics["confidence"]}
    parameters |= {key: ", ".join(map(str, metrics[key])) for key in ("seeds", "arms", "teachers")}
    parameters |= {f"arm.{arm}.by": how["by"] for arm, how in metrics["arm_of"].items() if how.get("by")}
    return Record(metrics["name"], parameters, by_seed, overall)


def _values(prefix: str, measures: dict[str, Any], names: Collection[str]) -> dict[str, float]:
    values: dict[str, float | None] = {}
    for name in names:
        value = measures[name]
        by_key = value.items() if isinstance(value, dict) else [("", value)]
        values |= {f"{prefix}/{name}" + (f"/{key}" if key else ""): number for key, number in by_key}
    return _numbers(values)


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _to_tensorboard(record: Record, results: Results) -> str:
    """Log into the run directory; what was logged there before is replaced."""
    from torch.utils.tensorboard import SummaryWriter

    target = results.folder / TENSORBOARD
    with atomic_folder(target) as folder, SummaryWriter(str(folder)) as writer:
        for seed, values in record.by_seed.items():
            for name, value in values.items():
                writer.add_scalar(name, value, seed)
        # This writes the scalars as well; the name keeps them in the same folder.
        writer.add_hparams(record.parameters, record.overall, run_name=".")
    return str(target)


def _to_mlflow(record: Record, results: Results) -> str:
    import mlflow

    try:
        # A notebook may have an active run already; then this one is its child.
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

    # wandb reads WANDB_PROJECT only if no project is given.
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


#: For each tracker how it logs (returning the place; raising :class:`_Refused` or OSError), and what it has to import. The
#: working directory may hold a folder of runs with the library's name, which can be imported; only the library has the name
#: after the colon.
_TRACKERS: dict[str, tuple[Callable[[Record, Results], str], str]] = {
    "mlflow": (_to_mlflow, "mlflow:start_run"),
    "wandb": (_to_wandb, "wandb:init"),
    TENSORBOARD: (_to_tensorboard, "torch.utils.tensorboard:SummaryWriter"),
}


def require(trackers: Collection[str]) -> None:
    """Check that the trackers (`mlflow`, `wandb`, `tensorboard`) can be used, before there is anything to log.

    Raises :class:`DiagnosticError` where a library is missing.
    """
    missing = []
    for name in trackers:
        try:
            EntryPoint(name, _tracker(name)[1], "").load()
        except (ImportError, AttributeError) as error:
            message = f"logging to {name} needs a package that is not installed: {error}"
            missing.append(Diagnostic("missing-package", message, hint=f"pip install 'hcmlang[{name}]'"))
    if missing:
        raise DiagnosticError(missing)


def log(tracker: str, results: Results) -> str:
    """Log a finished run to a tracker, where its library is configured to log; returns the place.

    Raises :class:`DiagnosticError` where the library is missing or refuses the run.
    """
    require([tracker])
    try:
        return _tracker(tracker)[0](record_of(results), results)
    except (OSError, _Refused) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = f"the results are in {results.folder}; run the same command again to log them"
        raise DiagnosticError(
            Diagnostic("not-logged", f"cannot log the run to {tracker}: {reason}", hint=hint)
        ) from error


def _tracker(name: str) -> tuple[Callable[[Record, Results], str], str]:
    if name not in _TRACKERS:
        raise ValueError(f"no tracker {name}; there are {', '.join(_TRACKERS)}")
    return _TRACKERS[name]
