"""Calibration recovers known temperatures."""

from __future__ import annotations

import numpy as np
import pytest

from hcmlang.evaluation.calibration import scaled, temperature


def calibrated(rows: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that mean what they say, and classes drawn from them."""
    random = np.random.default_rng(labels)
    logits = random.normal(size=(rows, labels)) * 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (scores.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1).clip(0, labels - 1)
    return scores.astype(np.float32), gold


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("overconfident", [0.5, 1.0, 3.0])
def test_what_was_scaled_is_scaled_back(labels: int, overconfident: float) -> None:
    scores, gold = calibrated(20_000, labels)
    distorted = scaled(scores, 1 / overconfident)
    assert temperature(distorted, gold) == pytest.approx(overconfident, rel=0.05)
    assert scaled(distorted, overconfident) == pytest.approx(scores, abs=1e-4)


def test_no_prediction_changes() -> None:
    scores, _ = calibrated(500, 3)
    other = scaled(scores, 2.5)
    assert (other.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert other.sum(axis=1) == pytest.approx(np.ones(500), abs=1e-6)
    assert other.max() < scores.max()


def test_a_probability_of_zero_is_no_error() -> None:
    scores = np.array([[1.0, 0.0], [0.6, 0.4]], dtype=np.float32)
    assert np.isfinite(temperature(scores, np.array([1, 0])))
    assert np.isfinite(scaled(scores, 2.0)).all()
