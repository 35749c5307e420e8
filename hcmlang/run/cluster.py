"""A Ray cluster that runs the steps of a run (the extra `ray`)."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import SILENT, Progress
from hcmlang.run.executor import Done, Job, StepFailed, perform
from hcmlang.run.providers import Providers
from hcmlang.run.step import Needs
from hcmlang.run.storage import Storage
from hcmlang.run.workers import LOSSES, lost

#: The folder in which a machine of a cluster keeps results that it fetched.
CACHE = "hcmlang-results"
#: Seconds to wait for a connection to the head of a cluster.
_PATIENCE = 10.0
#: Seconds between two looks at the machines of the cluster.
_PERIOD = 10.0
#: What Ray raises when a step has lost its worker too often.
_LOSSES = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
_STATUS = "`ray status` on its head shows whether it runs"
#: For the processes that run steps.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "TOKENIZERS_PARALLELISM": "false"}


class Cluster:
    """Runs jobs on a Ray cluster; see :class:`hcmlang.run.executor.Executor`. `address` is `ray`, for the cluster that runs on
    this machine or a new one, or `ray://HOST:PORT`. On each machine `workers` steps run concurrently, by default one for each
    core.

    Ray runs a step again when its worker or machine is lost. Raises :class:`DiagnosticError` when there is no cluster.
    """

    def __init__(self, address: str, workers: int | None, storage: Storage, progress: Progress) -> None:
        self._storage = storage
        _reach(address)
        options: dict[str, Any] = {"runtime_env": {"env_vars": _ENVIRONMENT}, "logging_level": logging.ERROR}
        try:
            if address == "ray":
                # Without an address, Ray joins the cluster that runs here or that RAY_ADDRESS names, or starts one.
                ray.init(log_to_driver=False, include_dashboard=False, **options)
            else:
                ray.init(address, **options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise _unreached(address, error) from error
        nodes = _nodes()
        cores = [int(node["CPU"]) for node in nodes if node.get("CPU")]
        self._gpus = max((int(node.get("GPU", 0)) for node in nodes), default=0)
        self._cores = max(1, min(cores, default=1) // workers) if workers is not None else 1
        count = sum(own // self._cores for own in cores)
        progress.note(f"a Ray cluster of {len(nodes)} machines runs up to {count} steps concurrently")
        self._remote = ray.remote(_perform_remotely)
        self._over = threading.Event()
        self._watch = threading.Thread(target=_watch, args=(self._over, progress), name="hcmlang-cluster", daemon=True)

    def __enter__(self) -> Cluster:
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watch.join(_PATIENCE)
        ray.shutdown()

    def takes(self, needs: Needs) -> bool:
        return not needs.runs_on_driver and not needs.reads_files

    def submit(self, job: Job) -> Future[Done]:
        options = {"num_cpus": self._cores, "num_gpus": min(job.step.needs().accelerators, self._gpus)}
        remote = self._remote.options(name=str(job.step.label), max_retries=LOSSES - 1, **options)
        folder = None if self._storage.url is not None else self._storage.folder
        answer: Future[Any] = remote.remote(job, folder, self._storage.url).future()
        result: Future[Done] = Future()
        answer.add_done_callback(lambda _: _settle(result, answer, job))
        return result


def _reach(address: str) -> None:
    """Check that something answers at the address of the cluster. Ray itself would try for minutes."""
    place = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        except OSError as error:
            raise _unreached(place, error) from error


def _nodes() -> list[dict[str, float]]:
    """The resources of each machine that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _watch(over: threading.Event, progress: Progress) -> None:
    """Say so when no machine runs steps: Ray waits for one silently, as a cluster may grow with its work."""
    waits = False
    while not over.wait(_PERIOD):
        with suppress(Exception):  # the next look may succeed
            is_empty = not any(node.get("CPU") for node in _nodes())
            if is_empty and not waits:
                progress.note("no machine of the cluster runs steps: the run waits for one (Ctrl-C ends it)")
            waits = is_empty


def _unreached(address: str, error: Exception) -> DiagnosticError:
    message = f"cannot reach the cluster `{address}`: {error}"
    hint = f"{_STATUS}; `--on ray` without RAY_ADDRESS starts one on this machine"
    return DiagnosticError(Diagnostic("no-cluster", message, hint=hint))


def _settle(result: Future[Done], answer: Future[Any], job: Job) -> None:
    """Set the result of a step from Ray's answer."""
    error = answer.exception()
    if error is None:
        value = answer.result()
        if isinstance(value, Done):
            result.set_result(value)
        else:
            result.set_exception(value)
    elif isinstance(error, ray.exceptions.RayTaskError):
        result.set_exception(StepFailed(f"the step `{job.step.title}` failed on the cluster:\n{error}"))
    elif isinstance(error, _LOSSES):
        result.set_exception(lost(job, f"ended ({type(error).__name__})"))
    else:
        reason = (str(error).strip().splitlines() or [""])[0]
        message = f"the cluster gave up the step `{job.step.title}`: {type(error).__name__}: {reason}"
        result.set_exception(DiagnosticError(Diagnostic("no-cluster", message, hint=_STATUS)))


def _perform_remotely(job: Job, folder: Path | None, url: str | None) -> Done | DiagnosticError:
    """Run a job on a machine of the cluster. A user's error is returned, as Ray would wrap it."""
    storage = Storage(folder if folder is not None else Path(tempfile.gettempdir()) / CACHE, url)
    try:
        with Providers(storage.folder.parent, None, SILENT) as providers:
            return perform(job, storage, SILENT, providers)
    except DiagnosticError as error:
        return error
