"""Logging a run with the real libraries, read back with their own readers."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hcmlang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.report.trackers import record_of
from tests.conftest import Hcmlang

FAST = ("classifier={kind: linear}", "detect.confidence=0.8", "seeds=[7, 3]", "arms=[none, miner]")
SETS = [part for value in (*FAST, "evaluate.resamples=100") for part in ("--set", value)]


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hcmlang.Run:
    out = tmp_path_factory.mktemp("finished") / "run"
    return hcmlang.load(quickstart / "spec.yaml", [*FAST, "evaluate.resamples=100"]).run(out)


@pytest.fixture
def run(finished: hcmlang.Run, tmp_path: Path) -> Path:
    return shutil.copytree(finished.folder, tmp_path / "run")


@pytest.fixture
def command(quickstart: Path, run: Path) -> tuple[object, ...]:
    """Gives the finished run again, which trains nothing."""
    return ("run", quickstart / "spec.yaml", *SETS, "--out", "run")


def test_the_numbers_are_those_of_metrics_json(finished: hcmlang.Run) -> None:
    record = record_of(finished.results)
    miner = finished.metrics["sets"]["test"]["arms"]["miner"]
    assert list(record.by_seed) == [7, 3]
    assert record.by_seed[3]["test/miner/accuracy"] == miner["seeds"][1]["accuracy"]
    assert record.by_seed[7]["negation/none/hcms/0.95"] >= 0
    assert record.overall["test/miner/mean/hcms/0.8"] == miner["mean"]["hcms"]["0.8"]
    matched = miner["difference"]["hcms_at_matched_coverage"]
    for end in ("mean", "low", "high"):
        assert record.overall[f"test/miner/difference/hcms_at_matched_coverage/{end}"] == matched[end]
    assert not any(name.startswith("test/none/difference") for name in record.overall)
    assert record.parameters["classifier.kind"] == "linear"
    assert (record.parameters["confidence"], record.parameters["seeds"]) == (0.8, "7, 3")
    assert record.parameters["arm.miner.by"] == "append"


def test_one_seed_has_no_interval_to_log(quickstart: Path, tmp_path: Path) -> None:
    run = hcmlang.load(quickstart / "spec.yaml", [*FAST, "seeds=1"]).run(tmp_path / "run")
    names = {name for name in record_of(run.results).overall if name.startswith("test/miner/difference/accuracy/")}
    assert names == {f"test/miner/difference/accuracy/{end}" for end in ("mean", "p", "p_holm")}


def test_tensorboard(hcmlang: Hcmlang, finished: hcmlang.Run, command: tuple[object, ...], run: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        done = hcmlang(*command, "--log", "tensorboard")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("report: run/report.html\nlogged to tensorboard: run/tensorboard\n")
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    record = record_of(finished.results)
    scalars = {name: {e.step: e.value for e in events.Scalars(name)} for name in events.Tags()["scalars"]}
    expected = {name: {seed: record.by_seed[seed][name] for seed in (7, 3)} for name in record.by_seed[7]}
    expected |= {name: {0: value} for name, value in record.overall.items()}
    assert scalars.keys() == expected.keys()
    for name, by_step in expected.items():
        assert scalars[name] == pytest.approx(by_step)
        assert len(events.Scalars(name)) == len(by_step)
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)


def test_mlflow(
    hcmlang: Hcmlang,
    finished: hcmlang.Run,
    command: tuple[object, ...],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'tracking.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "blind spots")
    done = hcmlang(*command, "--log", "mlflow")
    assert done.returncode == 0, done.stderr
    said = re.search(rf"^logged to mlflow: {re.escape(uri)}, run (\w+)$", done.stdout, re.MULTILINE)
    assert said is not None, done.stdout
    client = MlflowClient(uri)
    logged = client.get_run(said[1])
    record = record_of(finished.results)
    assert logged.info.run_name == "quickstart"
    assert client.get_experiment(logged.info.experiment_id).name == "blind spots"
    assert logged.data.params == {name: str(value) for name, value in record.parameters.items()}
    assert {name: logged.data.metrics[name] for name in record.overall} == record.overall
    for name in record.by_seed[7]:
        history = {one.step: one.value for one in client.get_metric_history(said[1], name)}
        assert history == {seed: record.by_seed[seed][name] for seed in (7, 3)}
    report = client.download_artifacts(said[1], "report.html", str(tmp_path))
    assert Path(report).read_bytes() == (run / "report.html").read_bytes()


def test_wandb(
    hcmlang: Hcmlang,
    finished: hcmlang.Run,
    command: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    done = hcmlang(*command, "--log", "wandb")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert done.stdout.endswith(f"logged to wandb: {folder}\n")
    (store,) = folder.glob("run-*.wandb")
    record = record_of(finished.results)
    config, summary, rows, artifacts = _read_wandb(store)
    assert {name: config[name] for name in record.parameters} == record.parameters
    assert {name: summary[name] for name in record.overall} == record.overall
    assert [row["seed"] for row in rows] == [7, 3]
    for row in rows:
        by_name = record.by_seed[row["seed"]]
        assert {name: row[name] for name in by_name} == by_name
    assert artifacts == {"quickstart-report": ["report.html"]}


def _read_wandb(path: Path) -> tuple[dict[str, object], dict[str, object], list[dict[str, object]], dict[str, object]]:
    """Configuration, summary, history and artifacts from the file of an offline run."""
    from wandb.proto import wandb_internal_pb2

    config: dict[str, object] = {}
    summary: dict[str, object] = {}
    rows, artifacts = [], {}
    for data in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        config |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
        config |= {one.key: json.loads(one.value_json) for one in record.config.update}
        summary |= {_key(one): json.loads(one.value_json) for one in record.summary.update}
        if record.HasField("history"):
            rows.append({_key(one): json.loads(one.value_json) for one in record.history.item})
        sent = record.artifact if record.HasField("artifact") else record.request.log_artifact.artifact
        if sent.name:
            artifacts[sent.name] = [one.path for one in sent.manifest.contents]
    return config, summary, rows, artifacts


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log as LevelDB writes it: in blocks of 32 KiB, each part with check sum, length and kind."""
    at, record = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def _key(item: object) -> str:
    return getattr(item, "key", "") or ".".join(getattr(item, "nested_key", ()))


def test_a_tracker_that_does_not_take_the_run(
    hcmlang: Hcmlang, command: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    done = hcmlang(*command, "--log", "wandb", "--log", "tensorboard")
    assert done.returncode == 1
    assert "logged to tensorboard" in done.stdout
    assert "cannot log the run to wandb: No API key configured." in done.stderr
    assert "the results are in run; run the same command again to log them" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_a_missing_library_is_told_before_the_run(quickstart: Path, tmp_path: Path, name: str) -> None:
    # A folder of earlier runs in the working directory does not stand for the library.
    (tmp_path / name).mkdir()
    code = (
        "import sys\n"
        f"class Missing:\n    def find_spec(self, module, *rest):\n        if module == {name!r}: raise ModuleNotFoundError"
        "(f'No module named {module!r}', name=module)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from hcmlang.cli.main import main; main()"
    )
    arguments = ["run", str(quickstart / "spec.yaml"), *SETS, "--out", "new", "--log", name]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert f"logging to {name} needs a package that is not installed" in done.stderr
    assert f"pip install 'hcmlang[{name}]'" in done.stderr
    assert not (tmp_path / "new").exists()


def test_from_python(finished: hcmlang.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a run of MLflow that is active already, as its child."""
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'tracking.db'}")
    try:
        with mlflow.start_run() as outer:
            place = finished.log_to("mlflow")
            assert mlflow.active_run().info.run_id == outer.info.run_id
        child = mlflow.get_run(place.rpartition(" ")[2])
        assert child.data.tags["mlflow.parentRunId"] == outer.info.run_id
    finally:
        mlflow.set_tracking_uri(before)
    with pytest.raises(ValueError, match="no tracker neptune; there are mlflow, wandb, tensorboard"):
        finished.log_to("neptune")


def test_a_misspelt_tracker_is_refused(hcmlang: Hcmlang, command: tuple[object, ...]) -> None:
    done = hcmlang(*command, "--log", "mlfow")
    assert done.returncode == 2
    assert "'mlfow' is not one of 'mlflow', 'wandb', 'tensorboard'" in done.stderr


def test_a_refusal_in_python_is_a_diagnostic(
    finished: hcmlang.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri("nowhere://here")
    try:
        with pytest.raises(DiagnosticError) as caught:
            finished.log_to("mlflow")
    finally:
        mlflow.set_tracking_uri(before)
    assert [one.code for one in caught.value.diagnostics] == ["not-logged"]
