"""The whole loop from a spec to a report: on synthetic and real data, interrupted, resumed and repeated."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import hcmlang
from tests.conftest import PROGRAM, Hcmlang

FILES = {
    "report.html",
    "metrics.json",
    "augmented.parquet",
    "hypotheses.jsonl",
    "rejected.parquet",
    "journal.db",
    "spec.yaml",
}
FAST = ("--set", "classifier={kind: linear}", "--set", "detect.confidence=0.8", "--set", "seeds=2")


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hcmlang.Run:
    """A finished run of the quickstart with the linear classifier and two seeds."""
    out = tmp_path_factory.mktemp("finished") / "run"
    overrides = [value for value in FAST if value != "--set"]
    return hcmlang.load(quickstart / "spec.yaml", overrides).run(out)


def test_the_run_directory_is_complete(finished: hcmlang.Run) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert names >= FILES | {"model"}
    text = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "<svg" in text
    assert 'src="http' not in text


def test_the_blind_spots_that_were_planted_are_found(finished: hcmlang.Run) -> None:
    triggers = {trigger for hypothesis in finished.hypotheses for trigger in hypothesis["triggers"]}
    assert triggers & {"not", "never", "hardly", "is not", "is never"}
    assert triggers & {"despite", "although", "for all"}
    assert any("horror" in trigger for trigger in triggers)


def test_mitigation_repairs_what_was_planted(finished: hcmlang.Run) -> None:
    arms = finished.metrics["sets"]["test"]["arms"]
    before, after = arms["none"]["mean"], arms["miner"]["mean"]
    assert after["hcms_at_matched_coverage"] < before["hcms_at_matched_coverage"]
    assert after["accuracy"] > before["accuracy"]


def test_the_control_repeats_as_many_rows_as_the_teacher_adds(finished: hcmlang.Run) -> None:
    kept = {arm: [entry["kept"] for entry in entries] for arm, entries in finished.metrics["instances"].items()}
    assert kept["duplicate"] == kept["miner"]
    assert min(kept["miner"]) > 100
    assert finished.augmented.num_rows == sum(kept["miner"])


def test_no_instance_repeats_a_held_out_row(finished: hcmlang.Run, quickstart: Path) -> None:
    held_out = {
        line.split("\t")[0]
        for name in ("test", "negation", "concession", "horror")
        for line in (quickstart / "data" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    }
    added = finished.augmented.filter(lambda row: row["arm"] == "miner")
    assert len(added) > 100
    assert not held_out & set(added["text"])
    reasons = set(pq.read_table(finished.folder / "rejected.parquet")["reason"].to_pylist())
    assert "repeats test" in reasons or "nearly repeats test" in reasons


def test_every_figure_of_the_headline_follows_from_the_predictions_on_disk(finished: hcmlang.Run) -> None:
    """Accuracy and HCMs at tau, counted anew from predictions.parquet."""
    rows = pq.read_table(finished.folder / "predictions.parquet").to_pandas()
    for arm in ("none", "duplicate", "miner"):
        own = rows[(rows["arm"] == arm) & (rows["set"] == "test")]
        wrong = own["gold"] != own["predicted"]
        mean = finished.metrics["sets"]["test"]["arms"][arm]["mean"]
        assert mean["accuracy"] == pytest.approx(1 - wrong.mean())
        confident = wrong & (own["confidence"] >= 0.8)
        assert mean["hcms"]["0.8"] == pytest.approx(confident.sum() / 2)


def test_the_model_loads_and_predicts_what_the_run_says(finished: hcmlang.Run, quickstart: Path) -> None:
    from hcmlang.data.sources import read_table
    from hcmlang.spec.data import FileData
    from hcmlang.spec.model import Spec

    spec = Spec.model_validate(yaml.safe_load((finished.folder / "spec.yaml").read_text(encoding="utf-8")))
    test = read_table(FileData(path=str(quickstart / "data" / "test.tsv")), spec.task, "test")
    rows = pq.read_table(finished.folder / "predictions.parquet").to_pandas()
    said = rows[(rows["arm"] == "miner") & (rows["set"] == "test") & (rows["seed"] == 0)]
    scores = finished.model.predict_proba(test)
    assert np.array_equal(np.array(test.labels)[scores.argmax(axis=1)], said["predicted"])
    assert np.allclose(scores.max(axis=1), said["confidence"], atol=1e-6)


def test_a_run_shows_itself_in_a_notebook(finished: hcmlang.Run) -> None:
    html = finished._repr_html_()
    assert "<table" in html
    assert "<svg" in html


def test_running_again_repeats_nothing(finished: hcmlang.Run, quickstart: Path) -> None:
    journal = sqlite3.connect(finished.folder / "journal.db")
    before = journal.execute("select key, finished from steps order by key").fetchall()
    report = (finished.folder / "report.html").stat().st_mtime_ns
    overrides = [value for value in FAST if value != "--set"]
    again = hcmlang.load(quickstart / "spec.yaml", overrides).run(finished.folder)
    assert journal.execute("select key, finished from steps order by key").fetchall() == before
    assert (again.folder / "report.html").stat().st_mtime_ns == report


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(
    hcmlang: Hcmlang, finished: hcmlang.Run, quickstart: Path, tmp_path: Path
) -> None:
    """Killed without warning as soon as it has finished some steps; then run to its end: the same bytes."""
    command = [*PROGRAM, "run", str(quickstart / "spec.yaml"), *FAST, "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    steps = tmp_path / "run" / "steps"
    deadline = time.monotonic() + 120
    while len(list(steps.glob("[!.]*"))) < 9 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "metrics.json").exists()
    done = hcmlang("run", quickstart / "spec.yaml", *FAST, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "steps were already done" in done.stderr
    for name in ("metrics.json", "hypotheses.jsonl", "augmented.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (finished.folder / name).read_bytes()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(quickstart: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "run", str(quickstart / "spec.yaml"), *FAST, "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    steps = tmp_path / "run" / "steps"
    deadline = time.monotonic() + 120
    while not list(steps.glob("[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith("interrupted; run the same command again to resume\n")


def test_a_change_runs_only_what_depends_on_it(finished: hcmlang.Run, quickstart: Path) -> None:
    overrides = [*(value for value in FAST if value != "--set"), "generate.per_hypothesis=20"]
    journal = sqlite3.connect(finished.folder / "journal.db")
    before = dict(journal.execute("select action, count(*) from steps group by action"))
    hcmlang.load(quickstart / "spec.yaml", overrides).run(finished.folder)
    after = dict(journal.execute("select action, count(*) from steps group by action"))
    grown = {action for action in after if after[action] > before[action]}
    assert grown == {"generate", "select", "duplicate", "retrain", "predict", "map", "results"}


def test_the_tiny_transformer_runs_the_loop(hcmlang: Hcmlang, quickstart: Path, tmp_path: Path) -> None:
    done = hcmlang("run", quickstart / "spec.yaml", "--set", "seeds=1", "--set", "arms=[none, miner]", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "one seed, so no interval" in done.stdout
    assert done.stdout.rstrip().endswith("report: run/report.html")
    summary = json.loads((tmp_path / "run" / "metrics.json").read_text())["summary"]
    assert summary["hcms_at_matched_coverage"]["after"] < 0.5 * summary["hcms_at_matched_coverage"]["before"]
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "model")
    assert model.config.id2label == {0: "negative", 1: "positive"}


def test_report_prints_the_run_in_the_terminal(hcmlang: Hcmlang, finished: hcmlang.Run) -> None:
    done = hcmlang("report", finished.folder)
    assert done.returncode == 0, done.stderr
    assert "miner" in done.stdout
    assert done.stdout.rstrip().endswith("report.html")


def test_groups_of_rows_are_measured_by_themselves(quickstart: Path, tmp_path: Path) -> None:
    header, *rows = (quickstart / "data" / "test.tsv").read_text(encoding="utf-8").splitlines()
    named = [f"{row}\t{'odd' if number % 3 == 1 else '' if number % 3 else 'even'}" for number, row in enumerate(rows)]
    (tmp_path / "test.tsv").write_text("\n".join([f"{header}\tdomain", *named]) + "\n", encoding="utf-8")
    overrides = ["classifier={kind: linear}", "arms=[none, miner]", "detect.confidence=0.7"]
    overrides += [f"task.data.test={tmp_path / 'test.tsv'}", "task.group=domain", "evaluate.resamples=100"]
    run = hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path / "run")
    found = run.metrics["sets"]["test"]["arms"]
    predictions = run.results.predictions.to_pandas()
    for arm in ("none", "miner"):
        groups = found[arm]["mean"]["groups"]
        assert [one["group"] for one in groups] == ["(no group)", "even", "odd"]
        assert sum(one["rows"] for one in groups) == len(rows)
        assert sum(one["hcms"] for one in groups) == pytest.approx(found[arm]["mean"]["hcms"]["0.7"])
        odd = predictions[(predictions["set"] == "test") & (predictions["arm"] == arm) & (predictions["row"] % 3 == 1)]
        assert groups[2]["accuracy"] == pytest.approx((odd["gold"] == odd["predicted"]).mean())
    none = found["none"]["mean"]["groups"]
    assert all(one["hcms_at_matched_coverage"] == one["hcms"] for one in none)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "By <code>domain</code>" in page
    assert "| odd | 400 |" in (run.folder / "report.md").read_text(encoding="utf-8")
    assert [check.wrong for check in run.audit()] == [()] * 9


def test_a_column_of_groups_must_be_there(hcmlang: Hcmlang, quickstart: Path) -> None:
    done = hcmlang("check", quickstart / "spec.yaml", "--set", "task.group=domain")
    assert done.returncode == 2
    assert "test.tsv has no column `domain`" in done.stderr + done.stdout


def test_without_a_pool_mistakes_are_found_by_crossfitting(quickstart: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    text = (quickstart / "spec.yaml").read_text(encoding="utf-8").replace("data/", f"{quickstart}/data/")
    text = text.replace("prompts/", f"{quickstart}/prompts/").replace("train.tsv", "pool.tsv", 1)
    spec.write_text(text.replace(f"pool: {quickstart}/data/pool.tsv, ", ""), encoding="utf-8")
    overrides = ["classifier={kind: linear}", "seeds=1", "arms=[none, miner]", "detect.confidence=0.7"]
    run = hcmlang.load(spec, overrides).run(tmp_path / "run")
    assert run.hypotheses
    assert run.metrics["sets"]["test"]["arms"]["miner"]["mean"]["accuracy"] > 0.5


@pytest.mark.parametrize(("task", "program"), [("sst2", "sentiment"), ("sick", "entailment"), ("mrpc", "paraphrase")])
def test_a_slice_of_real_data(
    task: str, program: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "pool", "test"):
        lines = (real_data / task / f"{name}.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / task).mkdir(exist_ok=True)
        (tmp_path / task / f"{name}.tsv").write_text("".join(lines[:801]), encoding="utf-8")
    monkeypatch.setitem(os.environ, "HCMLANG_DATA", str(tmp_path))
    spec = Path(__file__).parents[2] / "benchmarks" / "real" / f"{task}.yaml"
    run = hcmlang.load(spec, ["seeds=1", "detect.confidence=0.6"]).run(tmp_path / "run")
    assert json.loads((run.folder / "metrics.json").read_text())["name"] == f"{task}-local"
    assert run.metrics["sets"]["test"]["arms"]["none"]["mean"]["accuracy"] > 0.4


def test_several_programs_that_ask_the_classifier_and_other_texts(quickstart: Path, tmp_path: Path) -> None:
    text = (quickstart / "spec.yaml").read_text(encoding="utf-8").replace("data/", f"{quickstart}/data/")
    text = text.replace("prompts/", f"{quickstart}/prompts/")
    head, _, rest = text.partition("  program: |\n")
    body, _, tail = rest.partition("# The arms to compare")
    (tmp_path / "praise.txt").write_text("superb\nwitty\n", encoding="utf-8")
    programs = (
        "  program:\n    grammar: |\n"
        + "".join(f"  {line}\n" for line in body.splitlines())
        + """\
      require confidence(text, wrong) >= 0.5
      require novelty(text, train) >= 0.2 and novelty(text, batch) >= 0.1
    examples: |
      import "praise.txt" as praise
      text := {example.text} "," "they" "said" one_of(praise) when target == "positive"
      require predicts(text) == wrong
"""
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"{head}{programs}# The arms to compare{tail}", encoding="utf-8")
    overrides = ["classifier={kind: linear}", "seeds=1", "arms=[none, miner]", "detect.confidence=0.8"]
    run = hcmlang.load(spec, overrides).run(tmp_path / "run")
    rows = run.augmented.to_list()
    assert {row["program"] for row in rows} == {"grammar", "examples"}
    assert all("they said" in row["text"] for row in rows if row["program"] == "examples")
    assert {row["label"] for row in rows if row["program"] == "examples"} == {"positive"}
    assert "require confidence(text, wrong) >= 0.5 (judged)" in rows[0]["guarantees"]
    base = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    assert base["sets"]["test"]["arms"]["miner"]["mean"]["accuracy"] > 0.5
    again = hcmlang.load(spec, overrides).run(tmp_path / "again")
    assert again.augmented.to_list() == rows


def test_a_local_language_model_writes_the_instances(quickstart: Path, tmp_path: Path) -> None:
    """The whole loop with the engine `transformers`: free text under constraints, shown examples of the mistakes."""
    from tests.engines import tiny

    model = tiny.save(tmp_path / "model", chat=True, context=2048)
    program = (
        "text := item text_of(words: 2..6, charset: 'a-z')\n".replace("'", '"')
        + 'item := "the plot" | "the film"\nrequire text contains any hypothesis.triggers\nrequire words(text) in 5..9\n'
        + "require judge(text) in labels"
    )
    overrides = [
        "classifier={kind: linear}",
        "seeds=1",
        "arms=[none, miner]",
        "detect.confidence=0.8",
        f"teachers.miner.engine={{kind: transformers, model: {model}}}",
        "generate.per_hypothesis=12",
        f"generate.program={json.dumps(program)}",
    ]
    plan = hcmlang.load(quickstart / "spec.yaml", overrides).plan()
    assert plan.estimate.expected is not None
    assert plan.estimate.expected.model_calls == 2 * plan.estimate.expected.texts
    run = hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path / "run")
    rows = run.augmented.to_list()
    assert len(rows) > 10
    for row in rows:
        assert row["text"].startswith(("the plot", "the film"))
        assert 5 <= len(row["text"].split()) <= 9
        assert "require words(text) in 5..9 (by construction)" in row["guarantees"]
        assert "require judge(text) in labels (judged)" in row["guarantees"]
    again = hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path / "again")
    assert again.augmented.to_list() == rows
