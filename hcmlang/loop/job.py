"""One step as it is given to whoever runs it: this process, a worker beside it, or a machine of a cluster."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent
from hcmlang.loop.desk import Desk
from hcmlang.loop.graph import Step
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.storage import Artifact, Storage
from hcmlang.loop.work import Work
from hcmlang.progress import Progress
from hcmlang.spec.kinds import ClassifierKind, TeacherKind
from hcmlang.version import __version__

#: Steps that train classifiers.
_TRAINING = {"train", "retrain", "fold"}


@dataclass(frozen=True)
class Job:
    """A step and where its inputs and its result lie. It can be pickled."""

    step: Step
    key: str
    """What its result is named after."""
    inputs: Mapping[str, Artifact]
    """By role."""
    version: str = __version__
    """Of hcmlang, where the job was made."""


@dataclass(frozen=True)
class Done:
    """The result of a step lies in the storage; the seconds that it took."""

    result: Artifact
    seconds: float


class Executor(Protocol):
    """Runs jobs at once with each other. Use as a context manager; what is under way at its end is broken off."""

    #: Whether jobs run on machines that may not see the files of this one.
    elsewhere: bool

    def submit(self, job: Job) -> Future[Done]:
        """Have a job run. Where its worker is lost, it is run again by another. The future raises what the step raised:
        :class:`DiagnosticError`, `lost-worker` among them, or :class:`StepFailed`."""

    def __enter__(self) -> Executor: ...

    def __exit__(self, *error: object) -> None: ...


class StepFailed(Exception):
    """A step ended in an error that is not the user's; the message has its traceback in the worker."""


def run(job: Job, storage: Storage, progress: Progress, desk: Desk) -> Done:
    """Run a step. Its result is in the storage when this returns. Raises what the step raises."""
    if job.version != __version__:
        message = f"the worker has hcmlang {__version__}, and the run was started by {job.version}"
        hint = "install the same version on every machine"
        raise DiagnosticError(Diagnostic("other-version", message, hint=hint))
    step, started = job.step, time.perf_counter()
    inputs = {role: storage.path(one) for role, one in job.inputs.items()}

    def work(out: Path) -> None:
        ACTIONS[step.action].run(Work(step.config, inputs, step.handles, out, progress, desk))

    try:
        result = storage.make(job.key, work)
    except (DiagnosticError, AnswersWanted, BudgetSpent):
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            message = f"there is not enough memory for the step `{step.title}`"
            hint = "give fewer --workers, or a machine with more of it; finished steps are kept"
            raise DiagnosticError(Diagnostic("out-of-memory", message, hint=hint)) from error
        # What a disk has damaged is worth a look now: at every step it would cost as much as the step.
        for one in job.inputs.values():
            storage.verify(one)
        raise
    return Done(result, time.perf_counter() - started)


def asks(step: Step) -> bool:
    """Whether a step may ask people, or models that cost."""
    teacher = _teacher(step)
    return teacher is not None and teacher.runs_on_driver


def _teacher(step: Step) -> TeacherKind | None:
    return TeacherKind.model_validate(step.config["kind"]) if step.config.get("kind") else None


def at_home(step: Step, elsewhere: bool) -> bool:
    """Whether a step is run by the process that was started: those that ask, so that there is one budget, one journal, one
    limit on calls at once, and keys go nowhere; and where others are on machines that may not see the user's files
    (`elsewhere`), those that read one."""
    return asks(step) or (elsewhere and _reads_files(step))


def accelerators(step: Step) -> int:
    """How many GPUs a step can use: one for a model in its process, more where it starts several that train."""
    teacher, written = _teacher(step), step.config.get("classifier")
    engine = teacher.engine_for_writing if teacher is not None else None
    writing = engine.accelerators() if engine is not None else 0
    classifier = ClassifierKind.model_validate(written) if written else None
    return max(writing, classifier.accelerators(step.action in _TRAINING) if classifier is not None else 0)


def _reads_files(step: Step) -> bool:
    teacher = _teacher(step)
    if step.action in ("read", "recorded") or (teacher is not None and teacher.files):
        return True
    characterize, generate = step.handles.get("characterize"), step.handles.get("generate")
    named = [characterize.prompt, characterize.templates] if characterize else []
    named += [generate.prompt, generate.judge_prompt] if generate else []
    return any(named)
