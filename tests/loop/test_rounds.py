"""Rounds: their rows, when an arm stops, and how that is reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hcmlang
from hcmlang.data.records import read_jsonl
from hcmlang.diagnostics import DiagnosticError
from hcmlang.steps.rounds import Gain, Regression, gains, part, regression, stopped
from tests.loop.test_arms import load

ARMS = {
    "none": {},
    "miner": {},
    "generic": {},
    "duplicate": {},
    "relabel": {},
    "told": {},
    "both": {"from": ["miner", "told"], "by": "ensemble"},
    "weighed": {"from": ["miner", "relabel"], "by": "upweight+guard"},
}


def probabilities(wrong: list[bool], confidence: list[float]) -> np.ndarray:
    """Of two labels, for rows whose gold label is 0."""
    right = np.where(wrong, 1 - np.array(confidence), confidence)
    return np.stack([right, 1 - right], axis=1).astype(np.float32)


def test_every_row_is_in_one_part_and_parts_are_equal() -> None:
    parts = np.array([part(101, number, 4, seed=3) for number in (1, 2, 3, 4)])
    assert (parts.sum(axis=0) == 1).all()
    assert sorted(parts.sum(axis=1)) == [25, 25, 25, 26]
    assert not (parts[0] == part(101, 1, 4, seed=4)).all()
    assert part(7, 1, 1, seed=0).all()


def test_a_round_is_measured_in_the_part_that_nobody_has_looked_at() -> None:
    gold = np.zeros(40, dtype=np.int64)
    second = part(40, 2, 2, seed=0)
    before = probabilities([True] * 40, [0.95] * 40)
    # The model repairs all that it has been shown, and three of the twenty it has not.
    repaired = ~second | (np.cumsum(second) <= 3)
    after = probabilities([not one for one in repaired], [0.95] * 40)
    assert gains([before, after], gold, 0.9, 2, seed=0) == [Gain(20, 17)]
    assert gains([before, after, after], gold, 0.9, 2, seed=0) == [Gain(20, 17)], "after the last there is no part left"


def test_less_confidence_alone_is_no_gain() -> None:
    gold = np.zeros(60, dtype=np.int64)
    wrong = [row % 3 == 0 for row in range(60)]
    before = probabilities(wrong, [0.95 - row / 1000 for row in range(60)])
    after = probabilities(wrong, [0.75 - row / 1000 for row in range(60)])
    (gain,) = gains([before, after], gold, 0.9, 2, seed=1)
    assert gain.before == gain.after > 0
    assert stopped([gain], 1)


@pytest.mark.parametrize(
    ("found", "no_gain_for", "stops"),
    [
        ([], 1, False),
        ([Gain(9, 8)], 1, False),
        ([Gain(9, 9)], 1, True),
        ([Gain(9, 9)], 2, False),
        ([Gain(9, 9), Gain(9, 8)], 1, False),
        ([Gain(9, 9), Gain(9, 10)], 2, True),
        ([Gain(9, 10), Gain(9, 8), Gain(9, 9)], 2, False),
    ],
)
def test_an_arm_stops_after_rounds_in_a_row_without_gain(found: list[Gain], no_gain_for: int, stops: bool) -> None:
    assert stopped(found, no_gain_for) == stops


def test_mistakes_that_come_back_are_told_from_those_that_never_went() -> None:
    gold = np.zeros(4, dtype=np.int64)
    high = [0.95] * 4
    first = probabilities([True, True, True, False], high)
    repaired = probabilities([True, False, False, False], high)
    last = probabilities([True, True, False, True], high)
    # In a single part: the first row never went, the second came back, the fourth was none of this round's.
    assert regression([first, repaired, last], gold, 0.9, 1, 0, 1) == Regression(found=3, now=2, back=1)


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hcmlang.Run:
    folder = tmp_path_factory.mktemp("rounds")
    return load(quickstart, folder, ARMS, "seeds=2", "rounds=3", "stop={no_gain_for: 1}").run(folder / "run")


def test_arms_look_for_their_own_mistakes_in_a_fresh_part(finished: hcmlang.Run) -> None:
    groups = read_jsonl(finished.folder / "groups.jsonl")
    rows = finished.metrics["pool"]["rows"]
    for seed in (0, 1):
        for one in groups:
            if one["seed"] == seed:
                fresh = part(rows, one["round"], 3, seed)
                assert fresh[one["rows"]].all()
        by_arm = {
            arm: {
                row
                for one in groups
                if (one["seed"], one["arm"], one["round"]) == (seed, arm, 2)
                for row in one["rows"]
            }
            for arm in ("miner", "relabel")
        }
        assert by_arm["miner"]
        assert by_arm["miner"] != by_arm["relabel"]


def test_instances_of_earlier_rounds_stay(finished: hcmlang.Run) -> None:
    rows = finished.augmented.to_pandas()
    of_rounds = {(one["arm"], one["seed"], one["id"]): one["round"] for one in finished.hypotheses}
    for arm in ("miner", "both", "weighed"):
        for seed in (0, 1):
            own = rows[(rows.arm == arm) & (rows.seed == seed)]
            told = finished.metrics["rounds"][arm]
            entries = [next(s for s in entry["seeds"] if s["seed"] == seed) for entry in told]
            assert len(own) == sum(entry["instances"] for entry in entries)
            written = own[own.teacher.notna()]  # rows of the pool may repeat each other
            assert not written.duplicated("text").any()
    later = [key for key, number in of_rounds.items() if number > 1]
    assert later
    assert len(of_rounds) == len(finished.hypotheses), "ids are told apart"
    assert any(one["kept"] for one in finished.hypotheses if one["round"] == 2)


def test_controls_follow_the_teacher_round_by_round(finished: hcmlang.Run) -> None:
    def instances(arm: str, seed: int) -> list[int]:
        return [entry["seeds"][seed]["instances"] for entry in finished.metrics["rounds"][arm]]

    for seed in (0, 1):
        assert instances("duplicate", seed) == instances("miner", seed)
        taught, control = np.cumsum(instances("miner", seed)), np.cumsum(instances("generic", seed))
        assert (control <= taught).all()
        assert control[-1] > 0


def test_a_recording_has_one_round_only(finished: hcmlang.Run) -> None:
    assert "told" not in finished.metrics["rounds"]
    assert all(one["round"] == 1 for one in finished.hypotheses if one["teacher"] == "told")


def test_an_arm_without_gain_stops_and_asks_nothing_more(finished: hcmlang.Run) -> None:
    seen = 0
    for arm, entries in finished.metrics["rounds"].items():
        for number, entry in enumerate(entries[1:], start=1):
            for seed, one in enumerate(entry["seeds"]):
                gain = entries[number - 1]["seeds"][seed]["gain"]
                looks = arm != "duplicate"
                assert one["stopped"] == (looks and gain["after"] >= gain["before"])
                if one["stopped"]:
                    seen += 1
                    assert one["hypotheses"] == one["instances"] == 0
                    assert one["test"] == entries[number - 1]["seeds"][seed]["test"], "the model stays as it was"
    assert seen, "no arm stopped, so that nothing was tested"


def test_the_last_round_is_what_is_evaluated(finished: hcmlang.Run) -> None:
    for arm, entries in finished.metrics["rounds"].items():
        for seed, one in enumerate(entries[-1]["seeds"]):
            told = finished.metrics["sets"]["test"]["arms"][arm]["seeds"][seed]
            assert one["test"]["accuracy"] == pytest.approx(told["accuracy"])
            assert one["test"]["hcms_at_matched_coverage"] == pytest.approx(told["hcms_at_matched_coverage"])


def test_figures_and_counts_stand_up_to_an_audit(finished: hcmlang.Run) -> None:
    assert [check.wrong for check in finished.audit()] == [()] * 9


def test_the_report_has_the_rounds(finished: hcmlang.Run) -> None:
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="rounds">Rounds</h2>' in page
    assert "miner, 3" in page
    told = (finished.folder / "report.md").read_text(encoding="utf-8")
    rows = [line for line in told.splitlines() if line.startswith("| miner, ")]
    assert len(rows) == 3
    assert {line.count("|") for line in rows} == {10}


@pytest.mark.parametrize(
    ("override", "code"),
    [
        (["rounds=2", "task.data.pool=null"], "no-pool"),
        (["stop={}"], "no-rounds"),
        (["rounds=2", f"arms={json.dumps({'miner': {}, 'mixed': {'from': ['miner', 'duplicate']}})}"], "no-rounds"),
    ],
)
def test_rounds_that_cannot_be(quickstart: Path, tmp_path: Path, override: list[str], code: str) -> None:
    with pytest.raises(DiagnosticError) as error:
        load(quickstart, tmp_path, ["none", "miner"], *override)
    assert code in [one.code for one in error.value.diagnostics]
