"""Significance tests against published results and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from hcmlang.evaluation.significance import detectable, holm, mcnemar


def test_mcnemar_counts_what_changed() -> None:
    before = np.array([True] * 12 + [False] * 30)
    after = np.array([False] * 10 + [True] * 2 + [True] * 2 + [False] * 28)
    found = mcnemar(before, after)
    assert (found.fixed, found.broken) == (10, 2)
    # Twice the chance of at most 2 heads among 12.
    assert found.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)


def test_mcnemar_without_change_says_nothing() -> None:
    same = np.array([True, False, True])
    assert mcnemar(same, same).p == 1


def test_holm_as_in_his_example() -> None:
    """Each p-value times the number of those that are not smaller, never less than one before it."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_what_is_detectable_is_detected_in_four_of_five() -> None:
    random = np.random.default_rng(0)
    error = 2.5
    seen = random.normal(detectable(error), error, 100_000)
    assert (2 * norm.sf(abs(seen) / error) < 0.05).mean() == pytest.approx(0.8, abs=0.01)
