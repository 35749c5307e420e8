"""Concurrent steps: which error is raised, and which steps still start after it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from hcmlang.progress import SILENT
from hcmlang.run.executor import Done, Job, StepFailed
from hcmlang.run.providers import Providers
from hcmlang.run.scheduler import execute
from hcmlang.run.step import Needs, StepContext
from hcmlang.run.store import Store
from tests.loop.made_up import nothing


class _Failing:
    """An executor whose steps fail as soon as a step of this process has begun."""

    def __init__(self, begun: threading.Event, failed: threading.Event) -> None:
        self._begun, self._failed = begun, failed

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, *error: object) -> None: ...

    def takes(self, needs: Needs) -> bool:
        return not needs.runs_on_driver

    def submit(self, job: Job) -> Future[Done]:
        future: Future[Done] = Future()

        def fail() -> None:
            self._begun.wait(60)
            future.set_exception(StepFailed("as it should"))
            self._failed.set()

        threading.Thread(target=fail).start()
        return future


def test_after_an_error_no_further_step_asks_anybody(tmp_path: Path) -> None:
    """Steps that ask would cost money, and this run would not use their results."""
    begun, failed, asked = threading.Event(), threading.Event(), []

    def ask(context: StepContext) -> None:
        asked.append(context.out)
        begun.set()
        failed.wait(60)
        time.sleep(1)  # until the other thread knows of the error

    plan = [nothing(f"ask/{number}", asks=True, work=ask) for number in range(3)]
    plan.append(nothing("train"))
    with (
        Store(tmp_path / "run") as store,
        Providers(tmp_path / "run", None, SILENT) as providers,
        pytest.raises(StepFailed, match="as it should"),
    ):
        execute(plan, store, providers, SILENT, _Failing(begun, failed))
    assert len(asked) == 1
    assert len(list((tmp_path / "run" / "steps").iterdir())) == 1, "what had begun is finished and kept"
