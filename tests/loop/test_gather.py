"""The files of the last step, from fake results of the steps before it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hcmlang.evaluation.results import Results
from tests.fabricated import Fabrication, make_results

FILES = {
    "metrics.json",
    "versions.json",
    "hypotheses.jsonl",
    "groups.jsonl",
    "augmented.parquet",
    "rejected.parquet",
    "predictions.parquet",
    "map.parquet",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make_results(tmp_path_factory.mktemp("made"))


def test_the_same_results_give_the_same_bytes(made: Results, tmp_path: Path) -> None:
    again = make_results(tmp_path)
    assert {path.name for path in made.folder.iterdir()} == FILES | {"spec.yaml"}
    for name in FILES:
        content = (made.folder / name).read_bytes()
        assert content == (again.folder / name).read_bytes(), name
        assert str(made.folder.parent).encode() not in content, name


def test_every_number_follows_from_the_predictions(made: Results) -> None:
    rows = made.predictions.to_pandas()
    for name in ("test", "negation"):
        for arm, entry in made.metrics["sets"][name]["arms"].items():
            for seed, found in zip(made.metrics["seeds"], entry["seeds"], strict=True):
                own, base = (
                    rows[(rows["set"] == name) & (rows["arm"] == which) & (rows["seed"] == seed)]
                    for which in (arm, "none")
                )
                wrong = own["gold"] != own["predicted"]
                assert found["accuracy"] == pytest.approx(1 - wrong.mean())
                assert found["hcms"]["0.9"] == (wrong & (own["confidence"] >= np.float32(0.9))).sum()
                top = own["confidence"].sort_values(ascending=False).index[: (base["confidence"] >= 0.9).sum()]
                assert found["hcms_at_matched_coverage"] == wrong[top].sum()


def test_the_summary_compares_the_teacher_with_the_baseline(made: Results) -> None:
    arms, summary = made.metrics["sets"]["test"]["arms"], made.metrics["summary"]
    before, after = (arms[arm]["mean"]["hcms_at_matched_coverage"] for arm in ("none", "miner"))
    found = summary["hcms_at_matched_coverage"]
    assert (summary["arm"], summary["hypotheses"]) == ("miner", 6)
    assert (found["before"], found["after"], found["mean"]) == (before, after, after - before)
    assert found["low"] <= found["mean"] <= found["high"] < 0
    relative = found["relative"]
    assert relative["mean"] == pytest.approx(after / before - 1)
    assert relative["low"] < relative["mean"] < relative["high"] < 0
    assert summary["accuracy"]["low"] > 0
    control = arms["duplicate"]["difference"]["hcms_at_matched_coverage"]
    assert control["low"] < 0 < control["high"]


def test_the_pool_is_counted_by_direction(made: Results) -> None:
    for entry in made.metrics["pool"]["seeds"]:
        assert entry["hcms"] == sum(direction["hcms"] for direction in entry["directions"]) > 0
        assert {(d["gold"], d["predicted"]) for d in entry["directions"]} == {("bad", "good"), ("good", "bad")}


def test_what_became_of_a_hypothesis(made: Results) -> None:
    first, second = made.hypotheses[:2]
    assert (first["seed"], first["arm"], first["id"]) == (0, "miner", "miner-1")
    assert (first["written"], first["kept"], first["dropped"]) == (5, 3, {"duplicate": 2})
    assert first["examples"][0] == {"fields": {"text": "written not 0"}, "label": "bad"}
    assert first["not_written"] == {}
    rows = made.predictions.to_pandas()
    hard = rows[(rows["set"] == "test") & (rows["seed"] == 0) & (rows["gold"] == "bad") & (rows["row"] // 2 % 2 == 0)]
    hcm = hard[(hard["predicted"] == "good") & (hard["confidence"] >= np.float32(0.9))]
    counts = {arm: int((hcm["arm"] == arm).sum()) for arm in ("none", "miner")}
    test = first["test"]
    assert (test["rows"], test["hcms_before"], test["hcms_after"]) == (75, counts["none"], counts["miner"])
    assert counts["none"] - len(test["fixed"]) + len(test["broken"]) == counts["miner"]
    wrong = {arm: set(hcm[hcm["arm"] == arm]["row"]) for arm in ("none", "miner")}
    assert (set(test["fixed"]), set(test["broken"])) == (wrong["none"] - wrong["miner"], wrong["miner"] - wrong["none"])
    assert counts["none"] > counts["miner"]
    assert (second["written"], second["kept"], second["test"]) == (0, 0, None)
    assert second["not_written"] == {"no program": "`hypothesis.triggers` is empty"}


def test_a_group_shows_its_most_confident_rows(made: Results) -> None:
    group = made.groups[0]
    assert len(group["examples"]) == 5
    assert all(example["gold"] == "bad" and example["predicted"] == "good" for example in group["examples"])
    assert all(0.9 <= example["confidence"] <= 1 for example in group["examples"])


def test_kept_and_dropped_instances(made: Results) -> None:
    assert made.augmented.column_names == [
        "text",
        "label",
        "arm",
        "seed",
        "teacher",
        "hypothesis_id",
        "program",
        "guarantees",
    ]
    assert made.augmented.num_rows == 9
    assert set(made.augmented["arm"].to_pylist()) == {"miner"}
    rejected = made.rejected.to_pylist()
    assert len(rejected) == 9
    assert {(row["reason"], row["text"]) for row in rejected} == {("no program", None), ("duplicate", "written not 0")}
    assert made.metrics["instances"]["miner"][0] == {"seed": 0, "kept": 3, "dropped": {"duplicate": 2, "no program": 1}}
    assert made.metrics["instances"]["duplicate"][2] == {"seed": 2, "kept": 3, "dropped": {}}


def test_text_columns_may_have_the_names_of_ours(tmp_path: Path) -> None:
    """The usual names of an entailment pair, and one that is worse."""
    made = make_results(tmp_path, Fabrication(fields=("premise", "seed"), rows=40))
    assert made.augmented["seed"].to_pylist()[:3] == ["written not 0", "written not 1", "written not 2"]
    assert made.augmented["seed_"].to_pylist()[:4] == [0, 0, 0, 1]
    assert made.rejected["premise"].to_pylist().count("written not 0") == 6


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(seeds=(7,)))
    found = made.metrics["summary"]["hcms_at_matched_coverage"]
    assert (found["low"], found["high"]) == (None, None)
    assert found["relative"]["mean"] < 0
    assert made.metrics["summary"]["accuracy"]["low"] is None


def test_a_pool_without_hcms_says_what_lower_thresholds_would_find(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(sure=0.85, hypotheses=0, kept=0))
    summary = made.metrics["summary"]
    assert summary["pool_hcms"] == 0
    assert 0.8 < summary["most_confident_mistake"] <= 0.85
    lower = summary["hcms_at_lower_confidence"]
    assert list(lower)[:2] == ["0.8", "0.75"]
    assert 0 < lower["0.8"] < lower["0.75"]
    assert (made.augmented.num_rows, made.hypotheses, made.groups) == (0, [], [])


def test_without_a_teacher_there_is_nothing_to_summarize(tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(skill=(("none", 0.1),), teachers=()))
    assert made.metrics["summary"]["arm"] is None
    assert made.metrics["teachers"] == []
    assert made.augmented.num_rows == 0


def test_metrics_are_strict_json_and_tables_are_plain_parquet(made: Results) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((made.folder / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert pq.read_schema(made.folder / "predictions.parquet").names == [
        "set",
        "arm",
        "seed",
        "row",
        "gold",
        "predicted",
        "confidence",
        "p:bad",
        "p:good",
    ]
