"""Testing hypotheses: which pass, which fail, and each one's share of the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hcmlang
from hcmlang.data.records import Hypothesis
from hcmlang.loop.estimate import Amount
from hcmlang.steps.probe import judged


def stated(*evidence: int) -> list[Hypothesis]:
    return [
        Hypothesis(f"h{n}", "t", "It is so.", "no", "yes", "word", ("not",), tuple(range(count)))
        for n, count in enumerate(evidence)
    ]


def test_a_clear_blind_spot_passes_and_a_fancy_fails() -> None:
    first, second = judged(stated(10, 10), [((20, 15), (20, 1)), ((20, 3), (20, 2))], 0.1, 40)
    assert (first.passed, second.passed) == (True, False)
    assert first.p < 0.001 < 0.3 < second.p
    assert (first.instances, second.instances) == (80, 0), "what passes shares the budget of all"
    assert str(second) == f"confident mistakes on 3 of 20 instances that fit it, 2 of 20 others (q = {second.q:.2g})"


def test_a_classifier_that_is_wrong_on_everything_proves_nothing() -> None:
    (found,) = judged(stated(10), [((20, 19), (20, 19))], 0.1, 40)
    assert not found.passed


def test_the_budget_goes_where_there_is_most_to_gain() -> None:
    counts = [((20, 20), (20, 0)), ((20, 20), (20, 0)), ((20, 10), (20, 0))]
    shares = [one.instances for one in judged(stated(30, 10, 10), counts, 0.1, 30)]
    assert shares == [60, 20, 10]
    assert sum(one.instances for one in judged(stated(3, 3, 1), counts, 0.1, 7)) == 21


def test_nothing_written_is_no_evidence() -> None:
    (found,) = judged(stated(5), [((0, 0), (20, 0))], 0.1, 40)
    assert (found.p, found.passed, found.instances) == (1.0, False, 0)
    assert judged([], [], 0.1, 40) == []


def test_false_hypotheses_seldom_pass() -> None:
    """Of many sets of ten, all of them false, one in ten at most has any that passes."""
    random = np.random.default_rng(0)
    any_passed = 0
    for _ in range(400):
        counts = [((20, int(random.binomial(20, 0.3))), (20, int(random.binomial(20, 0.3)))) for _ in range(10)]
        any_passed += any(one.passed for one in judged(stated(*[5] * 10), counts, 0.1, 10))
    assert any_passed / 400 <= 0.1 + 3 * np.sqrt(0.09 / 400)


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hcmlang.Run:
    overrides = [
        "classifier={kind: linear}",
        "detect.confidence=0.8",
        "seeds=1",
        "arms=[none, miner]",
        "evaluate.resamples=100",
        "teachers.miner={kind: miner, significance: 0.9}",
        "probe={instances: 15}",
        "generate.per_hypothesis=20",
    ]
    return hcmlang.load(quickstart / "spec.yaml", overrides).run(tmp_path_factory.mktemp("probed") / "run")


def test_hypotheses_are_tested_before_they_get_their_budget(finished: hcmlang.Run) -> None:
    passed = [one for one in finished.hypotheses if one["probe"]["passed"]]
    failed = [one for one in finished.hypotheses if not one["probe"]["passed"]]
    assert passed
    assert failed
    assert sum(one["probe"]["instances"] for one in passed) == 20 * len(finished.hypotheses)
    for one in passed:
        assert one["probe"]["fit_errors"] > one["probe"]["other_errors"]
        assert one["written"] <= one["probe"]["instances"]
    for one in failed:
        assert (one["written"], one["kept"]) == (0, 0)
        assert set(one["not_written"]) <= {"probe failed", "no program"}
    assert {"not", "never", "hardly"} & {word for one in passed for word in one["triggers"]}


def test_the_report_says_how_each_stood_its_test(finished: hcmlang.Run) -> None:
    text = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "it passed" in text
    assert "it failed, and nothing was written for it" in text
    assert [check.wrong for check in finished.audit()] == [()] * 9


def test_the_plan_counts_the_tests(quickstart: Path) -> None:
    def expected(*overrides: str) -> Amount:
        found = hcmlang.load(quickstart / "spec.yaml", overrides).plan().estimate.expected
        assert found is not None
        return found

    plain, tested = expected(), expected("probe={instances: 7}")
    assert tested.instances == plain.instances + 7 * plain.hypotheses
    assert tested.classifier_calls == plain.classifier_calls + 7 * plain.hypotheses
