"""A measure from another package is computed, compared and shown like the built-in ones."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hcmlang.evaluation.measures import MEASURES, Measure, at, measures
from hcmlang.evaluation.predictions import Predictions
from hcmlang.evaluation.results import Results
from hcmlang.report.documents import latex_table, markdown_report
from hcmlang.report.html import render_report
from hcmlang.report.side_by_side import side_by_side
from hcmlang.report.terminal import render_terminal
from hcmlang.report.trackers import record_of
from tests.fabricated import Fabrication, make_results
from tests.installed import installed as kinds_of_a_package

DOCS = Path(__file__).parents[2] / "docs"


class Timid(Measure):
    """Right predictions of low confidence."""

    title, short = "timid", "timid"
    explanation = "right predictions below the threshold"
    better, digits = "lower", 2
    by_group, of_confidence, interval = True, True, "count"

    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> float:
        return float(self.counted(arm, tau).sum())

    def counted(self, arm: Predictions, tau: float) -> np.ndarray:
        return np.asarray(~arm.wrong & (arm.confidence < np.float32(tau)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    point = EntryPoint("timid", f"{__name__}:Timid", MEASURES.group)
    with kinds_of_a_package(monkeypatch, point):
        yield


@pytest.fixture
def made(installed: None, tmp_path: Path) -> Results:
    return make_results(tmp_path)


def test_it_is_in_the_metrics(made: Results) -> None:
    test = made.metrics["sets"]["test"]
    for arm, entry in test["arms"].items():
        counts = [
            ((one.scores.argmax(axis=1) == one.gold) & (one.scores.max(axis=1) < np.float32(0.9))).sum()
            for one in made.predicted("test", arm)
        ]
        assert [seed["timid"] for seed in entry["seeds"]] == counts
        assert entry["mean"]["timid"] == pytest.approx(np.mean(counts))
        assert "timid" in entry["mean"]["scaled"]
    means = [test["arms"][arm]["mean"]["timid"] for arm in ("miner", "none")]
    difference = test["arms"]["miner"]["difference"]["timid"]
    assert difference["mean"] == pytest.approx(means[0] - means[1])
    assert difference["low"] < difference["mean"] < difference["high"]
    assert {"p", "p_holm", "relative"} <= difference.keys()
    assert "timid" in test["arms"]["miner"]["against"]["duplicate"]


def test_it_is_a_column_of_every_table(made: Results) -> None:
    shown = f"{made.metrics['sets']['test']['arms']['miner']['mean']['timid']:.2f}"
    made.spec["classifier"] = {"kind": "linear"}
    console = Console(width=80, record=True, file=io.StringIO())
    render_terminal(made, console)
    for text in (render_report(made), markdown_report(made), latex_table(made), console.export_text()):
        assert "timid" in text
        assert shown in text
    assert "right predictions below the threshold; lower is better" in render_report(made)
    assert record_of(made).overall["test/miner/mean/timid"] == pytest.approx(float(shown), abs=0.01)
    assert side_by_side([made])[2]["timid"] == pytest.approx(float(shown), abs=0.01)


def test_one_seed_has_a_test_of_it(installed: None, tmp_path: Path) -> None:
    made = make_results(tmp_path, Fabrication(seeds=(0,)))
    assert {"fixed", "broken", "p"} <= made.metrics["sets"]["test"]["arms"]["miner"]["difference"]["timid"].keys()


def test_a_run_from_before_it_was_installed_is_shown_without_it(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made = make_results(tmp_path)
    before = render_report(made)
    request.getfixturevalue("installed")
    assert "timid" in measures()
    assert render_report(made) == before


def test_the_names_and_order_of_the_own_measures() -> None:
    """They are keys of metrics.json."""
    assert list(MEASURES) == [
        "accuracy",
        "macro_f1",
        "hcms",
        "coverage",
        "calibration_error",
        "adaptive_calibration_error",
        "brier",
        "hcms_at_matched_coverage",
        "mistakes_at_coverage",
        "area_under_risk_coverage",
        "auroc",
    ]


@pytest.mark.parametrize("name", list(MEASURES))
def test_the_documentation_explains_each_measure(name: str) -> None:
    """The table in docs/comparing.md is written from the registry; a failure shows the line that belongs there."""
    kind = MEASURES[name]()
    better = {"": "", "lower": "; lower is better", "higher": "; higher is better"}[kind.better]
    line = f"| `{name}` | {kind.title} | {kind.explanation}{better} |"
    assert line in (DOCS / "comparing.md").read_text("utf-8").splitlines()


def test_a_value_at_the_threshold() -> None:
    assert at({"0.8": 1.0, "0.9": 2.0}, 0.9) == 2.0
    assert at(3.0, 0.9) == 3.0
    assert at(None, 0.9) is None
