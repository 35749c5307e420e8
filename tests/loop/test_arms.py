"""Arms of every source and method in one run: shared steps, and differences."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hcmlang
from hcmlang.classifiers import open_model
from hcmlang.data.records import Instance, read_records
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError, render
from hcmlang.evaluation.calibration import scaled
from hcmlang.evaluation.results import Results
from hcmlang.hashing import file_digest
from hcmlang.report.html import write_report
from hcmlang.run.files import TABLE
from tests.conftest import Hcmlang

ARMS = {
    "none": {},
    "miner": {},
    "generic": {},
    "duplicate": {},
    "relabel": {},
    "weighed": {"from": "miner", "by": "upweight"},
    "guarded": {"from": "miner", "by": "guard"},
    "guard-alone": {"from": "none", "by": "guard"},
    "together": {"from": "miner", "by": "ensemble"},
    "both-ways": {"from": "miner", "by": "append+guard"},
    "told": {"from": ["miner", "told"]},
}


def tables(folder: Path) -> tuple[Path, Path, Path]:
    """A recording: hypotheses, instances, and what was written without any."""
    hypotheses = [
        {"id": "h1", "statement": "Horror is praised with dark words.", "gold": "positive", "predicted": "negative"}
    ]
    texts = [f"a grim and gory tale number {n} that any lover of horror enjoys" for n in range(30)]
    instances = [{"hypothesis": "h1", "text": text, "label": "positive"} for text in texts]
    plain = [{"text": f"the {n}th film was a pleasant surprise", "label": "positive"} for n in range(40)]
    paths = folder / "hypotheses.jsonl", folder / "instances.jsonl", folder / "generic.jsonl"
    for path, rows in zip(paths, (hypotheses, instances, plain), strict=True):
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return paths


def load(quickstart: Path, folder: Path, arms: object, *more: str) -> hcmlang.api.Experiment:
    hypotheses, instances, plain = tables(folder)
    told = {"kind": "recording", "hypotheses": str(hypotheses), "instances": str(instances), "generic": str(plain)}
    overrides = [
        "classifier={kind: linear}",
        "detect.confidence=0.8",
        "evaluate.resamples=200",
        f"arms={json.dumps(arms)}",
    ]
    overrides += [f"teachers={json.dumps({'miner': {'kind': 'miner'}, 'told': told})}", *more]
    return hcmlang.load(quickstart / "spec.yaml", overrides)


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hcmlang.Run:
    folder = tmp_path_factory.mktemp("arms")
    return load(quickstart, folder, ARMS, "seeds=2").run(folder / "run")


def steps(run: hcmlang.Run) -> dict[str, Path]:
    """The folders of the steps by name."""
    with sqlite3.connect(run.folder / "journal.db") as journal:
        rows = journal.execute("select name, key from steps").fetchall()
    return {name: next((run.folder / "steps").glob(f"*{key[:16]}*")) for name, key in rows}


def scores(run: hcmlang.Run, arm: str, seed: int = 0) -> np.ndarray:
    rows = pq.read_table(run.folder / "predictions.parquet").to_pandas()
    own = rows[(rows["set"] == "test") & (rows["arm"] == arm) & (rows["seed"] == seed)]
    return own[["p:negative", "p:positive"]].to_numpy()


def test_arms_share_what_they_have_in_common(finished: hcmlang.Run) -> None:
    with sqlite3.connect(finished.folder / "journal.db") as journal:
        made = Counter(dict(journal.execute("select action, count(*) from steps group by action").fetchall()))
    assert made["train"] == made["detect"] == 2
    assert made["characterize"] == 4  # miner and told, for each seed
    assert made["generate"] == 4  # miner and generic
    assert made["recorded"] == 2
    # Appended: miner, generic, duplicate, relabel, told; weighed. The ensemble and the guard of `both-ways` share the miner's.
    assert made["retrain"] == 2 * 6
    assert (made["guard"], made["pair"]) == (2 * 3, 2)
    assert (made["unfold"], made["fold"]) == (2 * 2, 2 * 2 * 5)


def test_controls_have_as_many_instances_as_the_teacher(finished: hcmlang.Run) -> None:
    kept = {arm: [entry["kept"] for entry in entries] for arm, entries in finished.metrics["instances"].items()}
    assert min(kept["miner"]) > 100
    assert kept["duplicate"] == kept["miner"] == kept["weighed"] == kept["guarded"]
    assert all(0 < generic <= miner for generic, miner in zip(kept["generic"], kept["miner"], strict=True))
    relabel = finished.metrics["instances"]["relabel"]
    found = [entry["hcms"] - entry["leaked"] for entry in finished.metrics["pool"]["seeds"]]
    assert [entry["kept"] for entry in relabel] == found
    assert kept["guard-alone"] == [0, 0]
    assert kept["told"] == [count + 30 for count in kept["miner"]]


def test_every_instance_says_whose_it_is(finished: hcmlang.Run) -> None:
    rows = finished.augmented.to_pandas() if hasattr(finished.augmented, "to_pandas") else None
    assert rows is not None
    whose = rows.groupby(["arm", "teacher"]).size()
    assert set(whose.index) == {("miner", "miner"), ("generic", "generic"), ("told", "miner"), ("told", "told")}
    stated = {(one["arm"], one["teacher"]) for one in finished.hypotheses}
    assert stated == {("miner", "miner"), ("told", "told")}
    (told,) = [one for one in finished.hypotheses if one["teacher"] == "told" and one["seed"] == 0]
    assert (told["kept"], told["dropped"]) == (30, {})


def test_generic_instances_know_no_blind_spot(finished: hcmlang.Run) -> None:
    arms = finished.metrics["sets"]["test"]["arms"]
    fall = {arm: arms[arm]["difference"]["hcms_at_matched_coverage"]["mean"] for arm in ("miner", "generic")}
    assert fall["miner"] < fall["generic"]


def test_a_guard_changes_no_prediction_and_ranks_them_anew(finished: hcmlang.Run) -> None:
    before = scores(finished, "none")
    for arm in ("guarded", "guard-alone"):
        after = scores(finished, arm)
        assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
        assert not np.allclose(after, before)
        assert (np.argsort(after.max(axis=1)) != np.argsort(before.max(axis=1))).any()
    arms = finished.metrics["sets"]["test"]["arms"]
    assert arms["guarded"]["mean"]["hcms_at_matched_coverage"] < arms["none"]["mean"]["hcms_at_matched_coverage"]
    assert arms["guarded"]["mean"]["accuracy"] == arms["none"]["mean"]["accuracy"]


def test_an_ensemble_lies_between_its_members(finished: hcmlang.Run) -> None:
    before, after, both = (scores(finished, arm)[:, 1] for arm in ("none", "miner", "together"))
    assert (np.minimum(before, after) - 1e-5 <= both).all()
    assert (both <= np.maximum(before, after) + 1e-5).all()


def test_a_weight_is_chosen_on_held_out_train_rows(finished: hcmlang.Run) -> None:
    (choice,) = (path for name, path in steps(finished).items() if name == "retrain/from=miner/by=upweight/seed=0")
    chosen = json.loads((choice / "choice.json").read_text(encoding="utf-8"))
    tried = chosen["area_under_risk_coverage"]
    assert list(tried) == ["1", "2", "4", "8"]
    assert tried[f"{chosen['weight']:g}"] == min(tried.values())


def test_held_out_rows_are_trained_on_by_nobody(finished: hcmlang.Run) -> None:
    found = steps(finished)
    train, part, held_out = (
        Table.read(found[name] / TABLE, ("text",), ("negative", "positive"))
        for name in ("read/train", "train-part/seed=0", "held-out/seed=0")
    )
    assert Counter(part.texts()) + Counter(held_out.texts()) == Counter(train.texts())
    assert len(held_out) == round(len(train) / 10)


def test_temperatures_are_told_for_every_arm(finished: hcmlang.Run) -> None:
    rows = pq.read_table(finished.folder / "predictions.parquet").to_pandas()
    own = rows[(rows["set"] == "test") & (rows["arm"] == "none") & (rows["seed"] == 0)]
    gold = (own["gold"] == "positive").to_numpy().astype(int)
    for arm, entry in finished.metrics["sets"]["test"]["arms"].items():
        found = entry["seeds"][0]["scaled"]
        cooled = scaled(scores(finished, arm).astype(np.float32), found["temperature"])
        confident = cooled.max(axis=1) >= np.float32(0.8)
        assert found["hcms"]["0.8"] == ((cooled.argmax(axis=1) != gold) & confident).sum(), arm
        assert found["coverage"]["0.8"] == pytest.approx(confident.mean()), arm


def test_one_seed_is_tested_by_what_changed(quickstart: Path, tmp_path: Path) -> None:
    run = load(quickstart, tmp_path, ["miner", "relabel"], "seeds=1").run(tmp_path / "run")
    for arm in ("miner", "relabel"):
        entry = run.metrics["sets"]["test"]["arms"][arm]["difference"]["accuracy"]
        wrong = {name: scores(run, name).argmax(axis=1) for name in ("none", arm)}
        assert entry["fixed"] + entry["broken"] == (wrong["none"] != wrong[arm]).sum()
        assert entry["p"] <= entry["p_holm"] <= 1
        assert entry["low"] is None


def test_a_recording_and_what_it_wrote_without_hypotheses(quickstart: Path, tmp_path: Path) -> None:
    run = load(quickstart, tmp_path, ["told", "generic"], "seeds=1").run(tmp_path / "run")
    assert [entry["kept"] for entry in run.metrics["instances"]["generic"]] == [30]
    generic = steps(run)["select/from=generic/seed=0"]
    assert all("pleasant surprise" in one.fields["text"] for one in read_records(generic / "instances.jsonl", Instance))


@pytest.mark.parametrize("arm", ["guarded", "together"])
def test_models_of_arms_load_again(quickstart: Path, tmp_path: Path, arm: str) -> None:
    run = load(quickstart, tmp_path, {arm: ARMS[arm]}, "seeds=1").run(tmp_path / "run")
    assert open_model(run.folder / "model") is not None
    before = file_digest(run.folder / "predictions.parquet")
    again = load(quickstart, tmp_path, {arm: ARMS[arm]}, "seeds=1").run(tmp_path / "again")
    assert file_digest(again.folder / "predictions.parquet") == before


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"hypothesis": "h2", "text": "x", "label": "positive"}',
            "instances.jsonl:31:1: error: there is no hypothesis `h2`",
        ),
        ('{"hypothesis": "h1", "text": "x", "label": "great"}', '`label` is "great", which is not a label'),
        ('{"hypothesis": "h1", "label": "positive"}', "`text` is missing or not a text"),
        ("{", "this is not a JSON object"),
        ("[]", "`hypothesis` is missing or not a text"),
    ],
)
def test_a_line_that_holds_no_instance(quickstart: Path, tmp_path: Path, line: str, expected: str) -> None:
    experiment = load(quickstart, tmp_path, ["told"], "seeds=1")
    with (tmp_path / "instances.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n" + line)
    with pytest.raises(DiagnosticError) as caught:
        experiment.run(tmp_path / "run")
    assert expected in render(caught.value.diagnostics)


# ---------------------------------------------------------------------------------------------------------------- audit


def test_a_finished_run_stands_up_to_an_audit(finished: hcmlang.Run) -> None:
    checks = finished.audit()
    assert [(check.name, check.wrong) for check in checks if check.name != "splits are disjoint"] == [
        ("every row is predicted", ()),
        ("instances repeat no evaluated row", ()),
        ("counts add up", ()),
        ("prompts hold no evaluated row", ()),
        ("every figure follows from the predictions", ()),
        ("the headline is that of the tables", ()),
        ("files are what the steps made", ()),
        ("the report shows these figures", ()),
    ]


@pytest.fixture
def copied(finished: hcmlang.Run, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns("steps"))
    return folder


@pytest.fixture
def whole(finished: hcmlang.Run, tmp_path: Path) -> Path:
    """The run with the results of its steps."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


def failed(folder: Path) -> dict[str, tuple[str, ...]]:
    return {check.name: check.wrong for check in hcmlang.open_run(folder).audit() if check.wrong}


def test_a_figure_that_was_made_up_is_found(copied: Path) -> None:
    metrics = json.loads((copied / "metrics.json").read_text(encoding="utf-8"))
    metrics["sets"]["test"]["arms"]["miner"]["mean"]["accuracy"] += 0.01
    (copied / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    found = failed(copied)
    (figure,) = found["every figure follows from the predictions"]
    assert figure.startswith("test: arms.miner.mean.accuracy is ")
    assert "the report shows these figures" in found


def test_a_prediction_that_was_changed_is_found(copied: Path) -> None:
    rows = pq.read_table(copied / "predictions.parquet").to_pandas()
    rows.loc[0, ["p:negative", "p:positive"]] = rows.loc[0, ["p:positive", "p:negative"]].to_numpy()
    pq.write_table(pa.Table.from_pandas(rows), copied / "predictions.parquet")
    assert "every figure follows from the predictions" in failed(copied)


def test_an_instance_from_the_test_set_is_found(copied: Path, quickstart: Path) -> None:
    text = (quickstart / "data" / "test.tsv").read_text(encoding="utf-8").splitlines()[8].split("\t")[0]
    rows = pq.read_table(copied / "augmented.parquet").to_pandas()
    rows.loc[3, "text"] = text.upper() + "!"
    pq.write_table(pa.Table.from_pandas(rows), copied / "augmented.parquet")
    assert failed(copied) == {"instances repeat no evaluated row": ("augmented.parquet row 3 repeats test row 7",)}


def test_instances_that_are_missing_are_found(copied: Path) -> None:
    table = pq.read_table(copied / "augmented.parquet")
    pq.write_table(table.slice(1), copied / "augmented.parquet")
    (found,) = failed(copied)["counts add up"]
    assert "instances on disk" in found


def test_splits_that_share_rows_are_found(quickstart: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(quickstart / "data", data)
    test = (data / "test.tsv").read_text(encoding="utf-8").splitlines()
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.write(test[1].upper().replace("POSITIVE", "positive").replace("NEGATIVE", "negative") + "\n")
    folder = {name: str(data / f"{name}.tsv") for name in ("train", "pool", "test")}
    run = load(quickstart, tmp_path, ["miner"], "seeds=1", f"task.data={json.dumps(folder)}").run(tmp_path / "run")
    assert any("rows of test repeat rows of train: 0" in one for one in failed(run.folder)["splits are disjoint"])


def test_a_headline_that_was_made_up_is_found(whole: Path) -> None:
    metrics = json.loads((whole / "metrics.json").read_text(encoding="utf-8"))
    metrics["summary"]["hcms_at_matched_coverage"]["after"] = 1.0
    (whole / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    write_report(Results(whole))
    found = failed(whole)
    assert found["the headline is that of the tables"] == (
        "the headline's hcms_at_matched_coverage is not that of the arm miner",
    )
    assert found["files are what the steps made"] == ("metrics.json is not what any step made",)


def test_predictions_that_are_not_those_of_the_probabilities_are_found(copied: Path) -> None:
    table = pq.read_table(copied / "predictions.parquet")
    column = table.column_names.index("predicted")
    pq.write_table(table.set_column(column, "predicted", table["gold"]), copied / "predictions.parquet")
    assert any("most probable label" in line for line in failed(copied)["every row is predicted"])


def test_a_prediction_that_is_missing_is_told_and_nothing_computed(copied: Path) -> None:
    table = pq.read_table(copied / "predictions.parquet")
    pq.write_table(table.slice(1), copied / "predictions.parquet")
    found = failed(copied)
    assert "every row is predicted" in found
    assert found["every figure follows from the predictions"] == ("the predictions are incomplete",)


def test_what_was_changed_after_the_run_is_found(whole: Path) -> None:
    table = pq.read_table(whole / "augmented.parquet")
    texts = table["text"].to_pylist()
    changed = table.set_column(0, "text", pa.array(["another text altogether", *texts[1:]]))
    pq.write_table(changed, whole / "augmented.parquet")
    step = next((whole / "steps").glob("generate-*"))
    with (step / "instances.jsonl").open("a") as file:
        file.write("\n")
    (first, second) = failed(whole)["files are what the steps made"]
    assert first == f"{step} has changed since"
    assert second == "augmented.parquet is not what the last step made"


def test_a_teacher_is_compared_with_controls_that_do_the_same(finished: hcmlang.Run) -> None:
    arms = finished.metrics["sets"]["test"]["arms"]
    assert set(arms["miner"]["against"]) == {"generic", "duplicate", "relabel"}
    assert "against" not in arms["together"], "no control is an ensemble"
    for control, told in arms["miner"]["against"].items():
        means = [arms[arm]["mean"]["hcms_at_matched_coverage"] for arm in ("miner", control)]
        found = told["hcms_at_matched_coverage"]
        assert found["mean"] == pytest.approx(means[0] - means[1])
        assert found["low"] <= found["mean"] <= found["high"]
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "miner - duplicate" in page
    assert "Without its hypotheses (generic)" in page


def test_the_command_says_what_failed(hcmlang: Hcmlang, copied: Path) -> None:
    table = pq.read_table(copied / "augmented.parquet")
    pq.write_table(table.slice(1), copied / "augmented.parquet")
    done = hcmlang("audit", copied)
    assert done.returncode == 1
    assert "failed  counts add up" in done.stdout
    assert "ok      every figure follows from the predictions" in done.stdout


# ------------------------------------------------------------------------------------------------------------ selection


def test_what_is_kept_is_what_the_classifier_gets_most_wrong(quickstart: Path, tmp_path: Path) -> None:
    def kept(name: str, *more: str) -> list[str]:
        run = load(quickstart, tmp_path, ["miner"], "seeds=1", "select.keep=40", *more).run(tmp_path / name)
        return [row["text"] for row in run.augmented.to_list()]

    even, telling = kept("even"), kept("telling", "select.by=confidence_in_error")
    both = kept("both", "select.by=[confidence_in_error, diversity]")
    assert len(even) == len(telling) == len(both) == 40
    assert len({frozenset(even), frozenset(telling), frozenset(both)}) == 3
    baseline = hcmlang.load(quickstart / "spec.yaml", ["classifier={kind: linear}", "arms=[none]", "seeds=1"])
    model = baseline.run(tmp_path / "baseline").model
    rows = {
        row["text"]: row["label"]
        for name in ("even", "telling")
        for row in hcmlang.open_run(tmp_path / name).augmented.to_list()
    }

    def wrong(texts: list[str]) -> float:
        columns = [("negative", "positive").index(rows[text]) for text in texts]
        table = Table.of(["text"], ["negative", "positive"], [[text] for text in texts], columns)
        return float(1 - model.predict_proba(table)[np.arange(len(texts)), columns].mean())

    assert wrong(telling) > wrong(even)


def test_a_choice_needs_a_limit(quickstart: Path, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="all are kept"):
        load(quickstart, tmp_path, ["miner"], "select.by=diversity")
