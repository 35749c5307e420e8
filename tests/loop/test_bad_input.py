"""Runs with invalid input: the exact message, the exit code, and that no work is lost."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hcmlang
from hcmlang import classifiers
from hcmlang.diagnostics import DiagnosticError, SpecError
from hcmlang.loop import estimate
from hcmlang.spec import kinds
from hcmlang.steps import read
from tests.conftest import Hcmlang

SPEC = """\
hcmlang: 1
name: bad
task:
  labels: [no, on]
  data: {train: train.tsv, pool: pool.tsv, test: test.tsv}
classifier: {kind: linear}
teachers: {miner: {kind: miner}}
generate:
  program: |
    text := "the" noun "works"
    noun := "lamp" | "radio"
"""


def project(folder: Path, spec: str = SPEC, **files: str) -> Path:
    """A spec with three small data files; `files` replaces the rows of some."""
    rows = "".join(
        f"the lamp number {n} is {'on' if n % 2 else 'off'}\t{'on' if n % 2 else 'no'}\n" for n in range(1500)
    )
    for name in ("train", "pool", "test"):
        text = files.get(name, rows.replace("lamp", f"{name} lamp"))
        (folder / f"{name}.tsv").write_text("text\tlabel\n" + text, encoding="utf-8")
    path = folder / "spec.yaml"
    path.write_text(spec, encoding="utf-8")
    return path


def test_an_unknown_label_in_row_1207(hcmlang: Hcmlang, tmp_path: Path) -> None:
    rows = [f"lamp number {n}\t{'on' if n % 2 else 'no'}\n" for n in range(1, 1501)]
    rows[1206] = "lamp number 1207\tof\n"
    project(tmp_path, train="".join(rows))
    done = hcmlang("run", "spec.yaml")
    assert done.returncode == 1
    assert "row 1,207" in done.stderr
    assert "train.tsv" in done.stderr
    assert "`of`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_pool(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path, pool="")
    done = hcmlang("run", "spec.yaml")
    assert done.returncode == 1
    assert "pool.tsv" in done.stderr
    assert "no rows" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pool_without_confident_mistakes_ends_cleanly(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path)
    done = hcmlang("run", "spec.yaml")
    assert done.returncode == 0, done.stderr
    assert "detect.confidence" in done.stdout
    assert (tmp_path / "runs" / "bad" / "report.html").is_file()


def test_an_undefined_rule_in_the_program(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path, SPEC.replace('"the" noun', '"the" nuon'))
    done = hcmlang("check", "spec.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("spec.yaml:10:19: error: ")
    assert "did you mean `noun`?" in done.stderr


def test_a_missing_column_and_a_missing_file_and_an_unknown_arm_at_once(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(
        tmp_path,
        SPEC.replace("labels:", "text: sentence\n  labels:").replace("pool.tsv", "pol.tsv") + "arms: [minr]\n",
    )
    done = hcmlang("check", "spec.yaml")
    assert done.returncode == 2
    assert done.stderr.replace(f"{tmp_path}/", "") == (
        "spec.yaml:4:9: error: train.tsv has no column `sentence` [missing-column]\n"
        "  4 |   text: sentence\n"
        "    |         ^^^^^^^^\n"
        "  hint: available: `text`, `label`\n"
        "spec.yaml:6:34: error: there is no file pol.tsv [missing-file]\n"
        "  6 |   data: {train: train.tsv, pool: pol.tsv, test: test.tsv}\n"
        "    |                                  ^^^^^^^\n"
        "  hint: paths are relative to the spec that contains them\n"
        "spec.yaml:13:8: error: the arm `minr` names no teacher [unknown-arm]\n"
        "  13 | arms: [minr]\n"
        "     |        ^^^^\n"
        "  hint: did you mean `miner`?\n"
    )


def test_a_label_that_is_not_in_labels_is_found_in_a_guard(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path, SPEC.replace('| "radio"', '| "radio" when target == "off"'))
    done = hcmlang("check", "spec.yaml")
    assert done.returncode == 2
    assert "`off`" in done.stderr


def test_an_environment_variable_that_is_not_set(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path, SPEC.replace("train: train.tsv", "train: $NO_SUCH_FOLDER/train.tsv"))
    assert "hint: set the environment variable $NO_SUCH_FOLDER" in hcmlang("check", "spec.yaml").stderr


def test_an_unwritable_run_directory(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "taken").write_text("a file")
    done = hcmlang("run", "spec.yaml", "--out", "taken/run")
    assert done.returncode == 1
    assert done.stderr == (
        "error: cannot write taken/run: not a directory [not-writable]\n"
        "  hint: part of this path is a file; choose another folder with --out\n"
    )


def test_a_folder_with_other_things_is_not_taken_for_a_run(hcmlang: Hcmlang, tmp_path: Path) -> None:
    path = project(tmp_path)
    done = hcmlang("run", "spec.yaml", "--out", ".")
    assert done.returncode == 1
    assert done.stderr == (
        "error: . is not empty, and holds no run [folder-in-use]\n"
        "  hint: a run writes files such as spec.yaml there; name another folder with --out\n"
    )
    assert path.read_text(encoding="utf-8") == SPEC


def test_mistakes_of_every_sort_are_told_together(hcmlang: Hcmlang, tmp_path: Path) -> None:
    text = (
        SPEC.replace("kind: linear", "kind: liner").replace("pool.tsv", "pol.tsv").replace('"the" noun', '"the" nuon')
    )
    project(tmp_path, text + "detect: {confidence: 1.5}\nseedz: 3\narms: [minr]\n")
    done = hcmlang("check", "spec.yaml", "--json")
    codes = sorted(found["code"] for found in json.loads(done.stdout) if found["severity"] == "error")
    wanted = ["missing-file", "undefined-rule", "unknown-arm", "unknown-key", "wrong-value", "wrong-value"]
    assert codes == wanted


def test_a_seed_that_is_listed_twice(hcmlang: Hcmlang, tmp_path: Path) -> None:
    project(tmp_path)
    assert (
        "error: the seed 1 is listed 2 times [duplicate-seed]"
        in hcmlang("check", "spec.yaml", "--set", "seeds=[1, 1]").stderr
    )
    zero = hcmlang("check", "spec.yaml", "--set", "seeds=0").stderr
    assert "`seeds` must be a count from 1 to 1,000, or a list of seeds, not 0 [wrong-value]" in zero


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full while the classifier is saved; with room again, the run goes on behind the finished steps."""
    path = project(tmp_path)
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    experiment = hcmlang.load(path)
    with monkeypatch.context() as faulty:
        faulty.setattr(os, "fsync", full)
        with pytest.raises(DiagnosticError) as caught:
            experiment.run(tmp_path / "run")
    (found,) = caught.value.diagnostics
    assert found.code == "disk-full"
    assert found.message.endswith("no space left on device")
    assert found.hint == "free some space and run the same command again; finished steps are kept"
    kept = sorted(p.name for p in (tmp_path / "run" / "steps").glob("[!.]*"))
    assert kept
    experiment.run(tmp_path / "run")
    assert set(kept) < {p.name for p in (tmp_path / "run" / "steps").iterdir()}


def test_a_classifier_whose_training_went_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hcmlang.classifiers.tfidf import LinearModel

    experiment = hcmlang.load(project(tmp_path))
    real = LinearModel.predict_proba
    monkeypatch.setattr(
        LinearModel, "predict_proba", lambda self, table, progress: real(self, table, progress) * np.nan
    )
    with pytest.raises(DiagnosticError, match=r"are not numbers: its training diverged \[not-a-number\]"):
        experiment.run(tmp_path / "run")


def test_two_processes_in_one_run_directory(tmp_path: Path) -> None:
    from hcmlang.run.store import Store

    path = project(tmp_path)
    with (
        Store(tmp_path / "run"),
        pytest.raises(DiagnosticError, match=r"another process is working in .* \[run-in-use\]"),
    ):
        hcmlang.load(path).run(tmp_path / "run")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the new rows would stand under the key of the old ones."""
    spec = project(tmp_path)
    whole = read.read_into

    def meanwhile(*arguments: Any) -> None:
        whole(*arguments)
        with (tmp_path / "pool.tsv").open("a", encoding="utf-8") as file:
            file.write("one more lamp is on\ton\n")

    with monkeypatch.context() as own:
        own.setattr(read, "read_into", meanwhile)
        with pytest.raises(DiagnosticError, match=r"pool.tsv changed while the run read it \[changed-file\]"):
            hcmlang.load(spec).run(tmp_path / "run")
    assert hcmlang.load(spec).run(tmp_path / "run").metrics


def test_a_compressed_table_is_to_be_unpacked(tmp_path: Path) -> None:
    spec = project(tmp_path, SPEC.replace("pool.tsv", "pool.tsv.gz"))
    (tmp_path / "pool.tsv.gz").write_bytes(gzip.compress((tmp_path / "pool.tsv").read_bytes()))
    with pytest.raises(DiagnosticError, match="unknown-format") as caught:
        hcmlang.load(spec).run(tmp_path / "run")
    assert str(caught.value.diagnostics[0].hint).startswith("unpack the file first")


def test_what_predicts_is_missed_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = SPEC.replace("{kind: linear}", "{kind: transformers, model: tiny, backend: openvino}")
    spec = project(tmp_path, fast)
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)
    with pytest.raises(DiagnosticError, match=r"needs the package openvino \[missing-package\]") as caught:
        hcmlang.load(spec)
    (told,) = caught.value.diagnostics
    assert (told.span.line if told.span else None, type(caught.value)) == (6, SpecError)


def test_the_plan_tells_that_a_sample_is_clustered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = project(tmp_path)
    assert "drawn at random are clustered" not in hcmlang.load(spec).plan().render()
    monkeypatch.setattr(estimate, "MOST", 1_000)
    said = "- groups: of more than 1,000 HCMs of one direction (the pool has 1,500 rows), 1,000 drawn at random are clustered"
    assert said in hcmlang.load(spec).plan().render()
    assert "clustered" not in hcmlang.load(spec, ["detect.group={method: kmeans}"]).plan().render()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_result_that_a_disk_has_damaged_is_told_and_made_anew(workers: int, tmp_path: Path) -> None:
    spec, run = project(tmp_path), tmp_path / "run"
    metrics = hcmlang.load(spec).run(run).metrics
    damaged = list((run / "steps").glob("predict-*/*.npy"))
    for file in damaged:
        os.truncate(file, 10)
    again = hcmlang.load(spec, ["evaluate.resamples=300"])
    told = 0
    while True:  # of several, one after the other is told
        try:
            assert again.run(run, workers=workers).metrics["arms"] == metrics["arms"]
            break
        except DiagnosticError as error:
            (one,) = error.diagnostics
            assert one.code == "lost-result"
            assert f"in {run / 'steps'} are not what was written there" in one.message
            told += 1
    assert 1 <= told <= len(damaged)


def test_memory_that_does_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*arguments: object, **more: object) -> None:
        raise MemoryError

    monkeypatch.setattr(classifiers, "fit", train)
    with pytest.raises(DiagnosticError, match=r"not enough memory for the step `train, seed 0` \[out-of-memory\]"):
        hcmlang.load(project(tmp_path)).run(tmp_path / "run")
