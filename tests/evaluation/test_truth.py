"""The behaviour of intervals and p-values over many simulated experiments with a known truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hcmlang.evaluation.calibration import scaled
from hcmlang.evaluation.intervals import Interval
from hcmlang.evaluation.predictions import Predictions, hcms, matched_mistakes
from tests.evaluation.made import TESTED, intervals, predictions

SIMULATIONS = 500
ROWS, SEEDS, TAU = 1500, 5, 0.9
RESAMPLES = 400


class Experiment:
    """A baseline and an arm on the same rows, a tenth of which lie in a blind spot that the arm mends by `gain`. Every model
    has noise of its own, and a shift that differs from seed to seed."""

    def __init__(self, random: np.random.Generator, rows: int, seeds: int, gain: float, shift: float = 0.15) -> None:
        spot = random.random(rows) < 0.1
        margin = np.where(spot, random.normal(-0.6, 1.2, rows), random.normal(2.2, 1.3, rows))

        def model(gain: float) -> Predictions:
            m = margin + gain * spot + 0.3 * random.normal(size=rows) + shift * random.normal()
            return predictions((1 / (1 + np.exp(-2 * abs(m)))).astype(np.float32).astype(np.float64), m < 0)

        self.baseline = [model(0) for _ in range(seeds)]
        self.arm = [model(gain) for _ in range(seeds)]

    def differences(self) -> np.ndarray:
        """Each measure, arm minus baseline, for each row on average."""
        pairs = list(zip(self.arm, self.baseline, strict=True))
        rows = len(self.baseline[0])
        accuracy = np.mean([b.wrong.mean() - a.wrong.mean() for a, b in pairs])
        counted = np.mean([hcms(a, TAU) - hcms(b, TAU) for a, b in pairs]) / rows
        matched = np.mean([matched_mistakes(a, b, TAU) - hcms(b, TAU) for a, b in pairs]) / rows
        return np.array([accuracy, counted, matched])


@cache
def results(gain: float) -> list[dict[str, Interval]]:
    random = np.random.default_rng(1)
    found = []
    for number in range(SIMULATIONS):
        one = Experiment(random, ROWS, SEEDS, gain)
        found.append((intervals({"arm": one.arm}, one.baseline, TAU, RESAMPLES, number) or {})["arm"])
    return found


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    truth = np.mean([Experiment(random, 20_000, 20, 0.5).differences() for _ in range(30)], axis=0)
    for name, value in zip(TESTED, truth * [1, ROWS, ROWS], strict=True):
        share = np.mean([one[name].low <= value <= one[name].high for one in results(0.5)])
        assert 0.92 <= share <= 0.98, name


@pytest.mark.slow
def test_an_arm_without_effect_is_seldom_called_significant() -> None:
    at_most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / SIMULATIONS)
    for name in TESTED:
        assert np.mean([one[name].p < 0.05 for one in results(0.0)]) <= at_most, name


@pytest.mark.slow
def test_p_values_and_intervals_agree() -> None:
    for one in results(0.5) + results(0.0):
        for interval in one.values():
            assert (interval.p < 0.05) == (not interval.low <= 0 <= interval.high)


@pytest.mark.parametrize("labels", [2, 3])
def test_lower_confidence_alone_is_no_improvement_at_matched_coverage(labels: int) -> None:
    random = np.random.default_rng(labels)
    gold = random.integers(0, labels, 4000)
    baseline, cooler = [], []
    for _ in range(5):
        logits = random.normal(size=(4000, labels)) * 2
        logits[np.arange(4000), gold] += 2.5
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        baseline.append(Predictions(scores.astype(np.float32), gold))
        cooler.append(Predictions(scaled(scores, 1.6), gold))
    found = (intervals({"cooler": cooler}, baseline, TAU, 1000, seed=0) or {})["cooler"]
    assert found["hcms"].high < 0
    assert found["hcms"].p < 0.001
    matched = found["hcms_at_matched_coverage"]
    if labels == 2:
        assert (matched.low, matched.high) == pytest.approx((0, 0), abs=1e-3)
    else:  # scaling may change the order of rows a little
        assert matched.high > 0
    assert found["accuracy"].low == found["accuracy"].high == 0
