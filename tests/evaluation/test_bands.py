"""Bands of risk-coverage curves: simulations with a known truth, and cases with analytical results."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from hcmlang.evaluation.bands import risk_band
from hcmlang.evaluation.predictions import Predictions, risk_coverage
from tests.evaluation.made import predictions

COVERAGES = np.array([0.2, 0.5, 0.8, 1.0])


def simulated(random: np.random.Generator, rows: int, seeds: int, spread: float) -> list[Predictions]:
    """Models whose confidence tells something of their mistakes; `spread` is how much they differ."""
    hard = random.normal(size=rows)
    found = []
    for _ in range(seeds):
        skill = 1.5 + spread * random.normal()
        margin = skill - hard + 0.5 * random.normal(size=rows)
        found.append(predictions(1 / (1 + np.exp(-np.abs(margin + random.normal(size=rows)))), margin < 0))
    return found


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_band_holds_the_truth_as_often_as_it_says(spread: float) -> None:
    random = np.random.default_rng(7)
    # The truth is the mean over models that could have been trained, on all rows that there could be.
    many = [one for _ in range(100) for one in simulated(random, 4_000, 8, spread)]
    truth = np.mean([np.interp(COVERAGES, *risk_coverage(one)) for one in many], axis=0)
    holds = np.zeros(len(COVERAGES))
    for _ in range(500):
        band = risk_band(simulated(random, 2_000, 5, spread), COVERAGES)
        holds += (band.low <= truth) & (truth <= band.high)
    assert (holds / 500 >= 0.92).all(), holds / 500
    assert (holds[1:] / 500 <= 0.99).all(), "where mistakes are few, the interval is on the safe side"


def test_all_rows_kept_is_the_exact_interval_of_the_error_rate() -> None:
    seed = predictions(np.linspace(0.5, 0.99, 400), np.arange(400) % 4 == 0)
    band = risk_band([seed, seed], np.array([1.0]))
    exact = binomtest(100, 400).proportion_ci(0.95, method="exact")
    assert band.mean[0] == pytest.approx(0.25)
    assert (band.low[0], band.high[0]) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_no_mistake_seen_is_not_none_to_come() -> None:
    seed = predictions(np.linspace(0.5, 0.99, 50), np.zeros(50, dtype=bool))
    band = risk_band([seed, seed], COVERAGES)
    assert band.mean.max() == band.low.max() == 0
    assert band.high == pytest.approx([1 - 0.025 ** (1 / (50 * c)) for c in COVERAGES], rel=1e-4)


@pytest.mark.parametrize("power", [4, 8])
def test_the_band_holds_where_mistakes_are_rare(power: int) -> None:
    random = np.random.default_rng(1)

    def drawn(rows: int) -> Predictions:
        ease = random.random(rows)
        return predictions(1 - ease / 2, random.random(rows) < 0.5 * ease**power)

    truth = np.mean([np.interp(COVERAGES, *risk_coverage(drawn(200_000))) for _ in range(20)], axis=0)
    holds = np.zeros(len(COVERAGES))
    for _ in range(300):
        seed = drawn(1_200)
        band = risk_band([seed] * 3, COVERAGES)
        holds += (band.low <= truth) & (truth <= band.high)
    assert (holds / 300 >= 0.92).all(), holds / 300


def test_seeds_that_differ_widen_the_band() -> None:
    confidence = np.linspace(0.5, 0.99, 400)
    one, other = (predictions(confidence, np.arange(400) % each == 0) for each in (4, 8))
    same = risk_band([one, one, one], COVERAGES)
    differing = risk_band([one, other, one], COVERAGES)
    assert (differing.high - differing.low > same.high - same.low).all()
