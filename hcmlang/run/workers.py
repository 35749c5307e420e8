"""Worker processes on this machine, which share its cores and GPUs."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.progress import Progress
from hcmlang.run.executor import Done, Job, StepFailed
from hcmlang.run.step import Needs
from hcmlang.run.storage import Storage

#: A step that loses its worker this many times fails.
LOSSES = 3
#: Environment variables that set how many threads libraries start.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def share_of(number: int, count: int, cores: int, gpus: list[str]) -> dict[str, str]:
    """The part of a machine that one of `count` workers gets, as environment variables. Cores are divided evenly, at least one
    for each worker. GPUs are dealt in turn; if there are too few, workers share them. The user's own setting of threads
    stands."""
    threads = {name: str(max(1, cores // count)) for name in _THREADS if name not in os.environ}
    if not gpus:
        return threads
    own = gpus[number::count] or [gpus[number % len(gpus)]]
    return threads | {"CUDA_VISIBLE_DEVICES": ",".join(own)}


class Workers:
    """Runs jobs in `count` processes; see :class:`hcmlang.run.executor.Executor`. A process starts with its first job."""

    def __init__(self, count: int, storage: Storage, progress: Progress) -> None:
        self._storage = storage
        self._progress = progress
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="hcmlang-worker")
        available = gpus()
        self._workers = [_Worker(share_of(number, count, cores(), available)) for number in range(count)]
        # The worker that finished last is taken first, so that no more processes start than steps run concurrently.
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def takes(self, needs: Needs) -> bool:
        return not needs.runs_on_driver

    def submit(self, job: Job) -> Future[Done]:
        return self._threads.submit(self._run, job)

    def _run(self, job: Job) -> Done:
        worker = self._idle.get()
        try:
            for _ in range(LOSSES):
                try:
                    return worker.run(job, self._storage, self._progress)
                except _WorkerLost as error:
                    reason = str(error)
                    self._progress.note(f"{job.step.title}: its worker {reason}; the step runs again")
        finally:
            self._idle.put(worker)
        raise lost(job, reason)


def lost(job: Job, reason: str) -> DiagnosticError:
    """The error for a step that lost every worker."""
    message = f"the step `{job.step.title}` lost its worker {LOSSES} times: it {reason}"
    hint = "the usual cause is too little memory: give fewer --workers; finished steps are kept"
    return DiagnosticError(Diagnostic("lost-worker", message, hint=hint))


class _WorkerLost(Exception):
    """A worker ended while it ran a job; the message says how."""


class _Worker:
    """A process that runs one job after another."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._lock = Lock()
        self._closed = False

    def run(self, job: Job, storage: Storage, progress: Progress) -> Done:
        """Run a job. Raises :class:`_WorkerLost` if the process ends before the job."""
        for kind, value in self._answers(job, storage):
            if kind == "note":
                progress.note(value)
            elif kind == "done":
                assert isinstance(value, Done)
                return value
            elif kind == "diagnostics":
                raise value
            else:
                raise StepFailed(f"the step `{job.step.title}` failed in a worker:\n{value}")
        raise AssertionError("a worker answers until its job is done")

    def _answers(self, job: Job, storage: Storage) -> Iterator[tuple[str, Any]]:
        try:
            line = self._started(storage)
            line.send(job)
            while True:
                yield line.recv()
        except (EOFError, OSError) as error:
            raise _WorkerLost(self._ended(error)) from error

    def _ended(self, error: Exception) -> str:
        """How the process ended, in words."""
        with self._lock:
            if self._closed:
                raise StepFailed("the run is over")
            process, self._process = self._process, None
        if process is None:
            return f"could not be started: {error}"
        self._kill(process)
        code = process.wait()
        return f"was killed by the signal {signal.Signals(-code).name}" if code < 0 else f"ended with the code {code}"

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._kill(self._process)
                self._process.wait()

    def _started(self, storage: Storage) -> Connection:
        with self._lock:
            if self._closed:
                raise StepFailed("the run is over")
            if self._process is None or self._line is None:
                ours, theirs = socket.socketpair()
                with theirs:
                    command = [sys.executable, "-m", "hcmlang.run.worker", str(theirs.fileno())]
                    # In a new session: Ctrl-C goes only to the process that started the run, and all processes of a worker
                    # end with it.
                    self._process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        env={**os.environ, **self._environment},
                        start_new_session=True,
                    )
                self._line = Connection(ours.detach())
                self._line.send(storage)
            return self._line

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
