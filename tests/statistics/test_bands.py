"""The band of a risk-coverage curve: simulations with a known truth, and cases that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from hcmlang.statistics.bands import risk_band
from hcmlang.statistics.measures import Outcome, risk_coverage

COVERAGES = np.array([0.2, 0.5, 0.8, 1.0])


def simulated(random: np.random.Generator, rows: int, seeds: int, spread: float) -> list[Outcome]:
    """Models whose confidence tells something of their mistakes; `spread` is how much they differ."""
    hard = random.normal(size=rows)
    found = []
    for _ in range(seeds):
        skill = 1.5 + spread * random.normal()
        margin = skill - hard + 0.5 * random.normal(size=rows)
        found.append(Outcome(1 / (1 + np.exp(-np.abs(margin + random.normal(size=rows)))), margin < 0))
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
    assert (holds / 500 <= 0.99).all(), holds / 500


def test_all_rows_kept_is_the_binomial_of_the_error_rate() -> None:
    outcome = Outcome(np.linspace(0.5, 0.99, 400), np.arange(400) % 4 == 0)
    band = risk_band([outcome, outcome], np.array([1.0]))
    # With all rows there is no threshold that moves, and p drops out of the variance; the interval is one of log-odds.
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400) / (0.25 * 0.75)
    odds = np.exp([np.log(1 / 3) - half, np.log(1 / 3) + half])
    assert band.mean[0] == pytest.approx(0.25)
    assert (band.low[0], band.high[0]) == pytest.approx(tuple(odds / (1 + odds)), abs=1e-4)


def test_without_a_mistake_there_is_no_width() -> None:
    outcome = Outcome(np.linspace(0.5, 0.99, 50), np.zeros(50, dtype=bool))
    band = risk_band([outcome, outcome], COVERAGES)
    assert band.mean.max() == 0
    assert band.high.max() < 1e-9


def test_seeds_that_differ_widen_the_band() -> None:
    confidence = np.linspace(0.5, 0.99, 400)
    one, other = (Outcome(confidence, np.arange(400) % each == 0) for each in (4, 8))
    same = risk_band([one, one, one], COVERAGES)
    differing = risk_band([one, other, one], COVERAGES)
    assert (differing.high - differing.low > same.high - same.low).all()
