"""Runs in worker processes: the same bytes, even if processes are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import hcmlang
from hcmlang.diagnostics import DiagnosticError, WaitingForAnswers
from hcmlang.progress import SILENT
from hcmlang.run.executor import Job, StepFailed
from hcmlang.run.step import StepContext
from hcmlang.run.storage import Storage
from hcmlang.run.workers import Workers, gpus, share_of
from hcmlang.steps import predict
from tests.annotate import people
from tests.conftest import PROGRAM, Hcmlang
from tests.loop.made_up import nothing

SPEC = ["classifier={kind: linear}", "detect.confidence=0.8", "seeds=2", "arms=[none, miner]"]
SPEC += ["evaluate.resamples=100", "generate.per_hypothesis=10", "task.challenge={}"]
FILES = ("metrics.json", "hypotheses.jsonl", "augmented.parquet", "rejected.parquet", "predictions.parquet")


@pytest.fixture(scope="module")
def alone(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run in one process comes to."""
    out = tmp_path_factory.mktemp("alone") / "run"
    hcmlang.load(quickstart / "spec.yaml", SPEC).run(out)
    return {name: (out / name).read_bytes() for name in FILES}


def results(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES}


@pytest.fixture
def started(quickstart: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run with two workers, which has finished some steps."""
    sets = [part for value in SPEC for part in ("--set", value)]
    command = [*PROGRAM, "run", str(quickstart / "spec.yaml"), *sets, "--out", "run", "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    steps, deadline = tmp_path / "run" / "steps", time.monotonic() + 120
    while len(list(steps.glob("[!.]*"))) < 11 and time.monotonic() < deadline:
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def test_two_workers_come_to_the_same_as_one_process(alone: dict[str, bytes], quickstart: Path, tmp_path: Path) -> None:
    run = hcmlang.load(quickstart / "spec.yaml", SPEC).run(tmp_path / "run", workers=2)
    assert results(run.folder) == alone
    assert [one.name for one in run.audit() if one.wrong] == []


def test_a_large_file_is_scored_in_shards_and_comes_to_the_same(
    alone: dict[str, bytes], quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "SHARD_BYTES", 20_000)
    experiment = hcmlang.load(quickstart / "spec.yaml", SPEC)
    assert sum(step.label.place("shard") is not None for step in experiment.plan().steps) >= 6
    assert results(experiment.run(tmp_path / "run", workers=2).folder) == alone


def test_a_worker_is_killed_and_its_step_is_run_again(
    alone: dict[str, bytes], started: subprocess.Popen[str], tmp_path: Path
) -> None:
    for worker in workers_of(started):
        worker.kill()
    _, errors = started.communicate(timeout=120)
    assert started.returncode == 0, errors
    assert "its worker was killed by the signal SIGKILL; the step runs again" in errors
    assert results(tmp_path / "run") == alone


def test_the_run_is_killed_and_goes_on_without_its_workers(
    alone: dict[str, bytes], started: subprocess.Popen[str], hcmlang: Hcmlang, tmp_path: Path
) -> None:
    workers = workers_of(started)
    assert workers
    started.kill()
    started.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == [], "workers end with the run"
    assert not (tmp_path / "run" / "metrics.json").exists()
    done = hcmlang("resume", "run", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "steps were already done" in done.stderr
    assert results(tmp_path / "run") == alone


def test_ctrl_c_ends_the_run_and_its_workers(started: subprocess.Popen[str]) -> None:
    workers = workers_of(started)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130
    assert errors.endswith("interrupted; run the same command again to resume\n")
    assert "runs again" not in errors, "nothing is"
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_what_is_wrong_in_a_worker_is_told_as_in_one_process(quickstart: Path, tmp_path: Path) -> None:
    bad = tmp_path / "pool.tsv"
    bad.write_text("text\tlabel\nnice\tneither\n", encoding="utf-8")
    overrides = [*SPEC, f"task.data.pool={bad}"]
    said = []
    for workers in (None, 2):
        with pytest.raises(DiagnosticError) as caught:
            hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path / f"run{workers}", workers=workers)
        said.append((caught.value.diagnostics, type(caught.value)))
    assert said[0] == said[1]
    assert "pool.tsv" in str(caught.value)


def _fail(context: StepContext) -> None:
    raise KeyError("source")


class _Deadly:
    """Ends whoever unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[int, int]]:
        return os.kill, (0, signal.SIGKILL)


def test_a_step_that_no_worker_survives_is_given_up(tmp_path: Path) -> None:
    step = nothing("read/train", work=_Deadly())
    with Workers(2, Storage(tmp_path), SILENT) as workers:
        future = workers.submit(Job(step, "nothing-1", {}))
        with pytest.raises(DiagnosticError, match=r"`read, train` lost its worker 3 times: .* SIGKILL \[lost-worker\]"):
            future.result(timeout=120)


def test_no_more_workers_are_started_than_steps_run_at_once(tmp_path: Path) -> None:
    job = Job(nothing("read/train"), "nothing-1", {}, version="0.0.1")
    with Workers(50, Storage(tmp_path), SILENT) as workers:
        for _ in range(3):
            assert isinstance(workers.submit(job).exception(timeout=120), DiagnosticError)
        started = [process for process in psutil.Process().children() if "hcmlang.run.worker" in process.cmdline()]
        assert len(started) == 1


def test_a_worker_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with Workers(1, Storage(tmp_path), SILENT) as workers:
        error = workers.submit(Job(nothing("read/train", work=_fail), "nothing-1", {})).exception(timeout=120)
    assert "it could not be started: [Errno 2] No such file or directory" in str(error)


def test_an_error_of_ours_comes_with_its_traceback(tmp_path: Path) -> None:
    with (
        Workers(1, Storage(tmp_path), SILENT) as workers,
        pytest.raises(StepFailed, match=r"(?s)`read, train` failed in a worker:.*KeyError"),
    ):
        workers.submit(Job(nothing("read/train", work=_fail), "nothing-1", {})).result(timeout=120)


def test_a_worker_of_another_version_refuses(tmp_path: Path) -> None:
    job = Job(nothing("read/train"), "nothing-1", {}, version="0.0.1")
    with (
        Workers(1, Storage(tmp_path), SILENT) as workers,
        pytest.raises(DiagnosticError, match=r"hcmlang 0.0.1 started the run \[other-version\]"),
    ):
        workers.submit(job).result(timeout=120)


def test_people_stop_a_run_when_the_other_arms_are_done(quickstart: Path, tmp_path: Path) -> None:
    teachers = {"crowd": {"kind": "human", "wage": {"usd_per_hour": 18}}, "miner": {"kind": "miner"}}
    generate = {"per_hypothesis": 3, "program": people.RULES}
    spec = people.project(tmp_path / "project", quickstart, teachers=teachers, generate=generate)
    run = tmp_path / "run"
    with pytest.raises(DiagnosticError, match="explanations to give") as caught:
        hcmlang.load(spec, ["arms=[none, crowd, miner]"]).run(run, workers=2)
    assert isinstance(caught.value, WaitingForAnswers)
    made = [path.name.partition("-")[0] for path in (run / "steps").iterdir()]
    assert "retrain" in made, "the miner's arm is done"
    with pytest.raises(DiagnosticError, match="explanations to give"):
        hcmlang.load(spec, ["arms=[none, crowd, miner]"]).run(run)
    assert sorted(path.name.partition("-")[0] for path in (run / "steps").iterdir()) == sorted(made)


def test_cores_and_gpus_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert share_of(0, 4, 16, [])["OMP_NUM_THREADS"] == "4"
    assert share_of(3, 4, 2, [])["OMP_NUM_THREADS"] == "1"
    assert [share_of(n, 2, 8, ["0", "1", "2", "3"])["CUDA_VISIBLE_DEVICES"] for n in range(2)] == ["0,2", "1,3"]
    assert [share_of(n, 4, 8, ["4", "6"])["CUDA_VISIBLE_DEVICES"] for n in range(4)] == ["4", "6", "4", "6"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
    assert gpus() == ["4", "6"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS" not in share_of(0, 4, 16, []), "a user's own setting stands"


@pytest.mark.parametrize("cluster", ["slurm", "ray://head", "ray://", "ray:/head:10001"])
def test_options_that_name_nothing(cluster: str, hcmlang: Hcmlang, quickstart: Path) -> None:
    done = hcmlang("run", quickstart / "spec.yaml", "--on", cluster)
    assert done.returncode == 2
    assert "[unknown-cluster]" in done.stderr
