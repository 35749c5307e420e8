"""Steps that run at once: what is told of an error, and what is still begun after it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from hcmlang.loop.desk import Desk
from hcmlang.loop.graph import Step
from hcmlang.loop.interpreter import execute
from hcmlang.loop.job import Done, Job, StepFailed
from hcmlang.loop.steps import ACTIONS
from hcmlang.loop.store import Store
from hcmlang.loop.work import Action, Work
from hcmlang.progress import SILENT


class _Failing:
    """An executor whose steps fail as soon as a step at home has begun."""

    elsewhere = False

    def __init__(self, begun: threading.Event, failed: threading.Event) -> None:
        self._begun, self._failed = begun, failed

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, *error: object) -> None: ...

    def submit(self, job: Job) -> Future[Done]:
        future: Future[Done] = Future()

        def fail() -> None:
            self._begun.wait(60)
            future.set_exception(StepFailed("as it should"))
            self._failed.set()

        threading.Thread(target=fail).start()
        return future


def test_after_an_error_no_further_step_asks_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the process that was started would cost money, and its result would not be used by this run."""
    begun, failed, asked = threading.Event(), threading.Event(), []

    def ask(work: Work) -> None:
        asked.append(work.config["number"])
        begun.set()
        failed.wait(60)
        time.sleep(1)  # until the other thread has heard of it
        (work.out / "file").write_text("", encoding="utf-8")

    monkeypatch.setitem(ACTIONS, "ask", Action(ask))
    plan = [Step(f"ask/{number}", "ask", {"number": number, "kind": {"kind": "human"}}) for number in range(3)]
    plan.append(Step("train", "train", {}))
    with (
        Store(tmp_path / "run") as store,
        Desk(tmp_path / "run", None, SILENT) as desk,
        pytest.raises(StepFailed, match="as it should"),
    ):
        execute(plan, store, desk, SILENT, _Failing(begun, failed))
    assert asked == [0]
    assert len(list((tmp_path / "run" / "steps").iterdir())) == 1, "what was begun is finished and kept"
