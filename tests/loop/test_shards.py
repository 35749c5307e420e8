"""Predictions in shards: the finished shards of a killed process are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.steps import shards
from hcmlang.steps.base import finite


def rows(count: int) -> Table:
    return Table.of(["text"], ["no", "yes"], [(f"row {row}",) for row in range(count)], np.arange(count) % 2)


def predict(table: Table) -> np.ndarray:
    """Each row's number in its probabilities."""
    numbers = np.array([int(text.split()[1]) for text in table.columns[0]])
    return np.stack([numbers / 1000, 1 - numbers / 1000], axis=1).astype(np.float32)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 10)


@pytest.mark.parametrize("count", [0, 1, 10, 37])
def test_shards_are_put_together(count: int, tmp_path: Path) -> None:
    shards.predicted(rows(count), predict, tmp_path / "unfinished", tmp_path / "scores.npy")
    assert not (tmp_path / "unfinished").exists()
    scores = np.load(tmp_path / "scores.npy")
    assert (scores.dtype, scores.shape) == (np.float32, (count, 2))
    assert np.array_equal(scores, predict(rows(count)))


#: Predicts as above, and stops with its fourth shard: killed from outside, as by a scheduler.
_STOPPED = """
import sys, time
from pathlib import Path
from hcmlang.steps import shards
from tests.loop.test_shards import predict, rows
shards.SHARD = 10
folder = Path(sys.argv[1])
def slow(table):
    if table.columns[0][0] == "row 30":
        print("here", flush=True)
        time.sleep(60)
    return predict(table)
shards.predicted(rows(57), slow, folder / "unfinished", folder / "scores.npy")
"""


def test_a_killed_process_loses_one_shard(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _STOPPED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "scores.npy").exists()
    seen: list[str] = []

    def remembered(table: Table) -> np.ndarray:
        seen.append(table.columns[0][0])
        return predict(table)

    shards.predicted(rows(57), remembered, tmp_path / "unfinished", tmp_path / "scores.npy")
    assert seen == ["row 30", "row 40", "row 50"]
    shards.predicted(rows(57), predict, tmp_path / "other", tmp_path / "undisturbed.npy")
    assert (tmp_path / "scores.npy").read_bytes() == (tmp_path / "undisturbed.npy").read_bytes()


def test_two_processes_at_one_prediction_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Of two runs that share a cache, or a step that Ray runs again while the first one is not lost after all."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()

    def slow(table: Table) -> np.ndarray:
        if table.columns[0][0] == "row 20":
            shards.predicted(rows(37), predict, tmp_path / "unfinished", tmp_path / "second" / "scores.npy")
        return predict(table)

    shards.predicted(rows(37), slow, tmp_path / "unfinished", tmp_path / "first" / "scores.npy")
    first, second = (tmp_path / name / "scores.npy" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "second").iterdir()] == ["scores.npy"]
    assert not (tmp_path / "unfinished").exists()


def test_what_is_no_number_is_not_kept(tmp_path: Path) -> None:
    def astray(table: Table) -> np.ndarray:
        return finite(np.full((len(table), 2), np.nan, dtype=np.float32))

    with pytest.raises(DiagnosticError, match="not-a-number"):
        shards.predicted(rows(5), astray, tmp_path / "unfinished", tmp_path / "scores.npy")
    assert not list((tmp_path / "unfinished").glob("*.npy"))
