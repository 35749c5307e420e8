"""The bootstrap against one that repeats rows explicitly, and the coverage of its intervals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hcmlang.evaluation.intervals import Interval, _Arm, _Baseline, _Ranked, _Sums, _weights
from hcmlang.evaluation.predictions import Predictions, hcms, kept, mistakes_kept
from tests.evaluation.made import TESTED, intervals, predictions


def simulated(seed: int, rows: int, right: float, digits: int | None = None) -> Predictions:
    """Predictions with a share of right predictions; rounding the confidence makes ties."""
    random = np.random.default_rng(seed)
    wrong = random.random(rows) > right
    confidence = np.where(wrong, random.beta(5, 3, rows), random.beta(9, 1, rows)).clip(0.5)
    return predictions(confidence if digits is None else confidence.round(digits), wrong)


def resampled(arm: Predictions, baseline: Predictions, weights: np.ndarray, tau: float = 0.9) -> tuple[dict, dict]:
    """The measures of baseline and arm in each resample."""
    sums = _Sums()
    before, after = _Baseline(TESTED, baseline, tau, sums), _Arm(TESTED, arm, baseline, tau, sums)
    summed = sums.of(weights)
    kept = before.kept(summed)
    return before.values(summed, weights.shape[1]) | {"kept": kept}, after.values(weights, summed, kept)


@pytest.mark.parametrize("digits", [None, 2, 1, 0])
@pytest.mark.parametrize("reach", [None, 0, 1, 5])
def test_each_resample_is_what_repeating_its_rows_gives(
    digits: int | None, reach: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where too few rows are looked at one by one, and more have to be."""
    if reach is not None:
        look_at = _Ranked._look_at
        monkeypatch.setattr(
            _Ranked, "_look_at", lambda self, r: look_at(self, reach if not hasattr(self, "_reach") else r)
        )
    arm, baseline = simulated(1, 400, 0.8, digits), simulated(2, 400, 0.6, digits)
    weights = _weights(np.random.default_rng(5), 400, 40)
    assert (weights.sum(axis=1) == 400).all()
    before, after = resampled(arm, baseline, weights)
    for number in range(40):
        rows = np.repeat(np.arange(400), weights[number].astype(int))
        own, base = (one.of(rows) for one in (arm, baseline))
        assert before["hcms_at_matched_coverage"][number] == mistakes_kept(base, kept(base, 0.9))
        assert after["hcms_at_matched_coverage"][number] == pytest.approx(mistakes_kept(own, kept(base, 0.9)), rel=1e-5)
        assert after["hcms"][number] == hcms(own, 0.9)
        assert after["accuracy"][number] == pytest.approx(1 - own.wrong.mean())


@pytest.mark.parametrize(("tau", "share"), [(0.49, 1), (1.01, 0)])
def test_all_or_nothing_is_kept(tau: float, share: int) -> None:
    arm, baseline = simulated(1, 30, 0.5), simulated(2, 30, 0.5)
    weights = _weights(np.random.default_rng(0), 30, 4)
    before, after = resampled(arm, baseline, weights, tau)
    assert before["kept"].tolist() == [30 * share] * 4
    assert after["hcms_at_matched_coverage"].tolist() == (share * (weights @ arm.wrong)).tolist()


def test_one_seed_has_no_interval() -> None:
    one = [simulated(0, 50, 0.8)]
    assert intervals({"arm": one}, one, 0.9, 100, seed=0) is None
    assert intervals({}, one * 2, 0.9, 100, seed=0) is None


def test_an_arm_that_is_the_baseline_differs_by_nothing() -> None:
    same = [simulated(seed, 200, 0.7) for seed in range(3)]
    (found,) = (intervals({"arm": same}, same, 0.7, 200, seed=0) or {}).values()
    assert found["accuracy"] == Interval(0.0, 0.0, None, 1.0, 0.0)
    assert found["hcms_at_matched_coverage"] == Interval(0.0, 0.0, (0.0, 0.0), 1.0, 0.0)


def test_an_improvement_is_seen_and_an_unrelated_arm_is_not_one() -> None:
    baseline = [simulated(seed, 800, 0.7) for seed in range(3)]
    better = [simulated(seed + 10, 800, 0.9) for seed in range(3)]
    alike = [simulated(seed + 20, 800, 0.7) for seed in range(3)]
    found = intervals({"better": better, "alike": alike}, baseline, 0.9, 1000, seed=1)
    assert found is not None
    assert found["better"]["accuracy"].low > 0
    assert found["better"]["hcms_at_matched_coverage"].high < 0
    for interval in found["alike"].values():
        assert interval.low < 0 < interval.high


def test_an_interval_is_as_wide_as_theory_says() -> None:
    """Accuracy of independent rows: the standard error of a difference of two means, when all seeds are the same."""
    arm, baseline = [simulated(1, 2000, 0.8)] * 2, [simulated(2, 2000, 0.7)] * 2
    found = intervals({"arm": arm}, baseline, 0.9, 4000, seed=3)
    assert found is not None
    change = baseline[0].wrong.astype(float) - arm[0].wrong
    error = change.std() / np.sqrt(2000)
    interval = found["arm"]["accuracy"]
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_seeds_that_disagree_widen_the_interval() -> None:
    baseline = [simulated(0, 500, 0.7)] * 2
    agree = [simulated(1, 500, 0.8)] * 2
    disagree = [simulated(1, 500, 0.7), simulated(1, 500, 0.9)]
    found = intervals({"agree": agree, "disagree": disagree}, baseline, 0.9, 1000, seed=0)
    assert found is not None
    width = {arm: entry["accuracy"].high - entry["accuracy"].low for arm, entry in found.items()}
    assert width["disagree"] > 1.5 * width["agree"]


def test_no_share_of_a_baseline_that_may_be_zero() -> None:
    baseline = [predictions(np.linspace(0.5, 1, 50), np.arange(50) == 48)] * 2
    arm = [predictions(np.linspace(0.5, 1, 50), np.zeros(50, bool))] * 2
    found = intervals({"arm": arm}, baseline, 0.9, 200, seed=0)
    assert found is not None
    assert found["arm"]["hcms"].relative is None
    assert found["arm"]["hcms"].low < 0


def test_the_same_seed_gives_the_same_interval_whatever_other_arms_there_are() -> None:
    baseline, arm, other = ([simulated(s + k, 100, 0.7) for s in range(2)] for k in (0, 10, 20))
    alone = intervals({"arm": arm}, baseline, 0.9, 300, seed=4)
    beside = intervals({"other": other, "arm": arm}, baseline, 0.9, 300, seed=4)
    assert alone is not None
    assert beside is not None
    assert alone["arm"] == beside["arm"]


def test_ten_thousand_resamples_of_five_thousand_rows_take_less_than_five_seconds() -> None:
    baseline, arm = ([simulated(s + k, 5000, 0.8) for s in range(3)] for k in (0, 10))
    done: list[int] = []
    started = time.process_time()
    assert intervals({"arm": arm}, baseline, 0.9, 10_000, 0, done.append)
    assert time.process_time() - started < 5
    assert sum(done) == 10_000


@pytest.mark.parametrize(("rows", "sure"), [(1, False), (5, False), (6, True), (40, True)])
def test_a_few_rows_that_all_say_the_same_are_not_certain(rows: int, sure: bool) -> None:
    """Resamples of equal rows are equal; the sign test knows better."""
    wrong = predictions(np.full(rows, 0.95), np.ones(rows, dtype=bool))
    right = predictions(np.full(rows, 0.95), np.zeros(rows, dtype=bool))
    found = intervals({"arm": [right] * 3}, [wrong] * 3, 0.9, 200, 0)
    assert found is not None
    for name in ("hcms", "hcms_at_matched_coverage"):
        one = found["arm"][name]
        assert one.p == pytest.approx(min(1, 2 * 0.5**rows))
        assert (one.high < 0) == sure == (one.p < 0.05)
        assert one.low <= -rows <= one.high
