"""Measures against hand-counted cases, every order of ties, and scikit-learn."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score

from hcmlang.data.table import Table
from hcmlang.evaluation.calibration import reliability
from hcmlang.evaluation.comparison import Settings, compare
from hcmlang.evaluation.measures import mean_of, measure
from hcmlang.evaluation.predictions import (
    Predictions,
    area_under_risk_coverage,
    hcms,
    kept,
    matched_mistakes,
    mistakes_kept,
    risk_coverage,
)
from tests.evaluation.made import predictions, value


def rows_of(*rows: tuple[float, bool]) -> Predictions:
    confidence, wrong = zip(*rows, strict=True)
    return predictions(np.float32(confidence), np.array(wrong))


def in_every_order(rows: Predictions) -> list[float]:
    """Expected mistakes among the first 0, 1, ... rows, from every order of falling confidence."""
    orders = [
        order
        for order in permutations(range(len(rows)))
        if all(rows.confidence[a] >= rows.confidence[b] for a, b in pairwise(order))
    ]
    sums = [np.concatenate([[0], np.cumsum(rows.wrong[list(order)])]) for order in orders]
    return list(np.mean(sums, axis=0))


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of 3 labels and gold labels of 400 rows."""
    random = np.random.default_rng(7)
    gold = random.integers(0, 3, 400)
    logits = random.normal(size=(400, 3)) + 1.5 * np.eye(3)[gold]
    return softmax(logits), gold


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)


SIX = ((0.99, True), (0.95, False), (0.9, True), (0.9, False), (0.8, True), (0.6, False))


def test_counts_at_a_threshold() -> None:
    six = rows_of(*SIX)
    assert [kept(six, t) for t in (0.8, 0.9, 0.95, 0.999)] == [5, 4, 2, 0]
    assert [hcms(six, t) for t in (0.8, 0.9, 0.95, 0.999)] == [3, 2, 1, 0]


def test_a_probability_in_single_precision_reaches_its_own_threshold() -> None:
    scores = np.array([[0.9, 0.1], [0.1, 0.9]], dtype=np.float32)
    assert float(scores[0, 0]) < 0.9 or float(scores[0, 0]) > 0.9
    for tau in (0.9, 0.8, 0.7, 0.3):
        one = predictions(np.array([np.float32(tau)], dtype=np.float64), np.array([True]))
        assert (kept(one, tau), hcms(one, tau)) == (1, 1)


def test_mistakes_among_the_most_confident() -> None:
    six = rows_of(*SIX)
    assert [mistakes_kept(six, n) for n in range(7)] == [0, 1, 1, 1.5, 2, 3, 3]
    assert mistakes_kept(six, 2.5) == 1.25
    assert mistakes_kept(six, 0.5) == 0.5


@pytest.mark.parametrize("seed", range(12))
def test_ties_count_as_the_mean_over_all_their_orders(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = predictions(random.choice([0.6, 0.7, 0.7, 0.9], 7), random.random(7) < 0.5)
    expected = in_every_order(rows)
    assert [mistakes_kept(rows, n) for n in range(8)] == pytest.approx(expected)
    risks = np.array(expected[1:]) / np.arange(1, 8)
    assert risk_coverage(rows)[1] == pytest.approx(risks)
    assert area_under_risk_coverage(rows) == pytest.approx(risks.mean())


def test_risk_coverage_by_hand() -> None:
    coverage, risk = risk_coverage(rows_of((0.9, False), (0.8, True), (0.7, False), (0.6, True)))
    assert coverage == pytest.approx([0.25, 0.5, 0.75, 1])
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert area_under_risk_coverage(rows_of((0.9, False), (0.8, True), (0.7, False), (0.6, True))) == pytest.approx(
        1 / 3
    )


def test_matched_coverage_keeps_as_many_rows_as_the_baseline() -> None:
    baseline = rows_of((0.95, True), (0.92, True), (0.91, False), (0.5, False))
    less_sure = rows_of((0.65, True), (0.62, True), (0.61, False), (0.5, False))
    repaired = rows_of((0.65, False), (0.62, True), (0.61, False), (0.7, False))
    assert matched_mistakes(baseline, baseline, 0.9) == 2
    assert hcms(less_sure, 0.9) == 0
    assert matched_mistakes(less_sure, baseline, 0.9) == 2
    assert matched_mistakes(repaired, baseline, 0.9) == 1


@pytest.mark.parametrize("temperature", [1.5, 2.0, 4.0])
def test_temperature_scaling_is_no_improvement_at_matched_coverage(temperature: float) -> None:
    random = np.random.default_rng(3)
    gold = random.integers(0, 2, 2000)
    logits = random.normal(0, 3, size=(2000, 2)) + 2 * np.eye(2)[gold]
    before, after = (Predictions(softmax(logits / t), gold) for t in (1.0, temperature))
    assert hcms(after, 0.9) < 0.7 * hcms(before, 0.9)
    assert matched_mistakes(after, before, 0.9) == pytest.approx(hcms(before, 0.9), abs=1)
    assert area_under_risk_coverage(after) == pytest.approx(area_under_risk_coverage(before), abs=1e-4)


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.62 (one of two right) and 0.97 (three of four right)."""
    rows = rows_of((0.62, True), (0.62, False), (0.97, False), (0.97, False), (0.97, False), (0.97, True))
    assert value("calibration_error", rows) == pytest.approx((2 * abs(0.5 - 0.62) + 4 * abs(0.75 - 0.97)) / 6, abs=1e-6)


def test_an_edge_belongs_to_the_bin_below() -> None:
    (found,) = reliability(rows_of((0.6, False), (0.6, True)))
    assert (round(found.low, 4), round(found.high, 4), found.count) == (0.5333, 0.6, 2)
    (found,) = reliability(rows_of((1.0, False)))
    assert found.high == 1


def test_reliability_agrees_with_scikit_learn(scores: tuple[np.ndarray, np.ndarray]) -> None:
    rows = Predictions(*scores)
    accuracy, confidence = calibration_curve(~rows.wrong, rows.confidence, n_bins=15)
    bins = reliability(rows)
    assert [b.accuracy for b in bins] == pytest.approx(accuracy)
    assert [b.confidence for b in bins] == pytest.approx(confidence)
    assert sum(b.count for b in bins) == 400


def test_everything_about_an_arm(scores: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, gold = scores
    rows = Predictions(probabilities, gold)
    found = measure(rows, rows, 0.9, (0.8, 0.9))
    predicted = probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro"))
    assert found["hcms"]["0.9"] == found["hcms_at_matched_coverage"]
    assert found["coverage"]["0.8"] == pytest.approx((probabilities.max(axis=1) >= 0.8).mean())
    top = np.argsort(-probabilities.max(axis=1))[:280]
    assert found["mistakes_at_coverage"]["0.7"] == (predicted[top] != gold[top]).sum()


def test_macro_f1_of_a_set_with_one_label_is_that_labels_f1() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], dtype=np.float32)
    assert value("macro_f1", Predictions(probabilities, np.zeros(3, int))) == pytest.approx(0.8)


def test_adaptive_bins_hold_equally_many_rows() -> None:
    confidence = np.repeat([0.6, 0.9], 15)
    rows = predictions(confidence, np.array(([True] * 3 + [False] * 12) + [False] * 15))
    # Fifteen bins of two rows: none right of 1.2, one of 1.2, five times both of 1.2, both of 1.5, seven times both of 1.8.
    assert value("adaptive_calibration_error", rows) == pytest.approx((1.2 + 0.2 + 5 * 0.8 + 0.5 + 7 * 0.2) / 30)


def test_brier_agrees_with_scikit_learn(scores: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, gold = scores
    expected = brier_score_loss(gold, probabilities, scale_by_half=False)
    assert value("brier", Predictions(*scores)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("digits", [1, 8])
def test_auroc_agrees_with_scikit_learn(scores: tuple[np.ndarray, np.ndarray], digits: int) -> None:
    rows = Predictions(*scores)
    rounded = predictions(rows.confidence.round(digits), rows.wrong)
    assert value("auroc", rounded) == pytest.approx(roc_auc_score(~rounded.wrong, rounded.confidence))


def test_auroc_of_a_classifier_that_is_always_right_says_nothing() -> None:
    assert value("auroc", rows_of((0.9, False), (0.8, False))) is None
    assert mean_of([{"auroc": None}, {"auroc": 0.5}]) == {"auroc": None}


def test_directions_add_up_to_the_hcms(scores: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, gold = scores
    table = Table.of(("text",), ("a", "b", "c"), [("",)] * len(gold), gold.tolist())
    compared = compare("test", table, {"none": [probabilities]}, {}, Settings(0.5, (0.5,), (0,), 10))
    found = compared["arms"]["none"]["mean"]["directions"]
    assert sum(direction["hcms"] for direction in found) == hcms(Predictions(probabilities, gold), 0.5) > 0
    assert len(found) == 6
    assert all(direction["gold"] != direction["predicted"] for direction in found)
