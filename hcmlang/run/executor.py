"""Who runs the steps of a run: this process, workers beside it, or the machines of a cluster."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hcmlang.diagnostics import Diagnostic, DiagnosticError, SpecError
from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.progress import Progress
from hcmlang.run.providers import Providers
from hcmlang.run.step import Needs, Step, StepContext
from hcmlang.run.storage import Artifact, Storage
from hcmlang.version import __version__


@dataclass(frozen=True)
class Job:
    """A step to run, and where the results of its inputs are. It can be pickled."""

    step: Step
    """Detached: its inputs come without their own inputs."""
    name: str
    """What its result is named after."""
    inputs: Mapping[str, Artifact]
    """By the inputs' identity."""
    version: str = __version__
    """The version of hcmlang that made the job."""


@dataclass(frozen=True)
class Done:
    """The result of a step, which is in the storage, and the seconds that the step took."""

    result: Artifact
    seconds: float


class StepFailed(Exception):
    """A step raised an error that is not the user's. The message holds its traceback in the worker."""


class Executor(Protocol):
    """Runs jobs concurrently. Use as a context manager; leaving it cancels the jobs that still run."""

    def takes(self, needs: Needs) -> bool:
        """Whether it can run such a step. The process that was started runs all others."""

    def submit(self, job: Job) -> Future[Done]:
        """Run a job. When a worker is lost, another one runs the job again. The future raises :class:`DiagnosticError` for the
        user's errors and lost workers, and :class:`StepFailed`."""

    def __enter__(self) -> Executor: ...

    def __exit__(self, *error: object) -> None: ...


def perform(job: Job, storage: Storage, progress: Progress, providers: Providers) -> Done:
    """Run a job in this process. When this returns, the result is in the storage. Raises what the step raises."""
    if job.version != __version__:
        message = f"the worker has hcmlang {__version__}, but hcmlang {job.version} started the run"
        hint = "install the same version on every machine"
        raise DiagnosticError(Diagnostic("other-version", message, hint=hint))
    step, started = job.step, time.perf_counter()

    def work(out: Path) -> None:
        step.run(StepContext(out, job.inputs, storage, progress, providers))

    try:
        result = storage.make(job.name, work)
    except (DiagnosticError, AnswersWanted, BudgetSpent):
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            message = f"there is not enough memory for the step `{step.title}`"
            hint = "give fewer --workers, or a machine with more memory; finished steps are kept"
            raise DiagnosticError(Diagnostic("out-of-memory", message, hint=hint)) from error
        # Check now whether the disk damaged an input: checking before every step would cost as much as the step.
        for artifact in job.inputs.values():
            storage.verify(artifact)
        raise
    return Done(result, time.perf_counter() - started)


def executor_for(
    on: str | None, workers: int | None, storage: Storage, progress: Progress
) -> AbstractContextManager[Executor | None]:
    """The executor of a run; None when this process runs all steps. See :meth:`hcmlang.api.Experiment.run`.

    Raises :class:`DiagnosticError` when there is no such cluster.
    """
    if on is not None:
        if on != "ray" and not re.fullmatch(r"ray://.+:\d+/?", on):
            hint = "write `--on ray`, or `--on ray://HOST:10001` for a cluster elsewhere"
            raise SpecError(Diagnostic("unknown-cluster", f"there is no cluster `{on}`", hint=hint))
        try:
            from hcmlang.run.cluster import Cluster
        except ImportError as error:
            message = f"`--on {on}` needs a package that is not installed: {error}"
            hint = "pip install 'hcmlang[ray]'"
            raise DiagnosticError(Diagnostic("missing-package", message, hint=hint)) from error
        return Cluster(on, workers, storage, progress)
    if workers is not None and workers > 1:
        from hcmlang.run.workers import Workers

        return Workers(workers, storage, progress)
    return nullcontext()
