"""The exact headline: its claims follow from the intervals, not from the means."""

from __future__ import annotations

from typing import Any

import pytest

from hcmlang.report.headline import headline, p_value, power_in_words


def count(before: float, after: float, low: float | None, high: float | None, share: bool = True) -> dict[str, Any]:
    ends = [None, None] if low is None or high is None or not share else [low / before, high / before]
    relative = {"mean": (after - before) / before if before else None, "low": ends[0], "high": ends[1]}
    return {"before": before, "after": after, "mean": after - before, "low": low, "high": high, "relative": relative}


def accuracy(before: float, after: float, low: float | None, high: float | None) -> dict[str, Any]:
    return {"before": before, "after": after, "mean": after - before, "low": low, "high": high}


FELL = count(61.3, 22.0, -43.5, -33.7)
ROSE = accuracy(0.871, 0.903, 0.01, 0.05)


def metrics(seeds: int = 3, kept: int = 40, **summary: Any) -> dict[str, Any]:
    found = {"arm": "miner", "pool_hcms": 57.0, "hypotheses": 4, "hcms_at_matched_coverage": FELL, "hcms": FELL}
    return {
        "confidence": 0.9,
        "seeds": list(range(seeds)),
        "pool": {"rows": 1200, "crossfit": False},
        "instances": {"miner": [{"kept": kept}] * seeds},
        "summary": found | {"accuracy": ROSE} | summary,
        "arm_of": {"none": {"from": []}, "miner": {"from": ["miner"]}, "plain": {"from": ["generic"]}},
        "sets": {"test": {"arms": {"miner": {}, "plain": {"mean": {"hcms_at_matched_coverage": 30.0}}}}},
    }


def test_fell() -> None:
    assert headline(metrics()) == (
        "High-confidence mistakes on unseen test data fell from 61.3 to 22.0 at matched coverage (-64%, 95% interval -71% to "
        "-55%, 3 seeds); accuracy rose from 0.871 to 0.903."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-14, -2, "they made it fall further (a difference of -8.0, -14.0 to -2.0)."),
        (-14, 4, "whether they helped is uncertain (a difference of -8.0, -14.0 to +4.0)."),
        (1, 14, "they made it worse (a difference of -8.0, +1.0 to +14.0)."),
    ],
)
def test_what_the_hypotheses_are_worth_the_control_says(low: float, high: float, said: str) -> None:
    found = metrics()
    against = {"hcms_at_matched_coverage": {"mean": -8, "low": low, "high": high}}
    found["sets"]["test"]["arms"]["miner"]["against"] = {"plain": against}
    assert headline(found).endswith(f" Without its hypotheses (plain) it was 30: {said}")


def test_rose_and_accuracy_fell() -> None:
    rose = count(20, 30, 4, 16)
    found = headline(metrics(hcms_at_matched_coverage=rose, hcms=rose, accuracy=accuracy(0.9, 0.85, -0.09, -0.01)))
    assert found == (
        "High-confidence mistakes on unseen test data rose from 20 to 30 at matched coverage (+50%, 95% interval +20% to "
        "+80%, 3 seeds); but accuracy fell from 0.900 to 0.850."
    )


def test_no_clear_change() -> None:
    found = headline(
        metrics(
            hcms_at_matched_coverage=count(60, 57, -12, 6),
            hcms=count(60, 58, -9, 5),
            accuracy=accuracy(0.871, 0.874, -0.01, 0.02),
        )
    )
    assert found == (
        "High-confidence mistakes on unseen test data did not clearly change: from 60 to 57 at matched coverage (-5%, 95% "
        "interval -20% to +10%, 3 seeds); accuracy did not clearly change (0.871 before, 0.874 after)."
    )


def test_a_classifier_that_is_only_less_sure() -> None:
    found = headline(metrics(hcms_at_matched_coverage=count(60, 61, -4, 6), hcms=count(60, 15, -50, -40)))
    assert found.endswith(
        " At confidence >= 0.9 they fell from 60 to 15, but a classifier that is only less confident shows the same."
    )


def test_one_seed() -> None:
    found = headline(
        metrics(seeds=1, hcms_at_matched_coverage=count(61, 22, None, None), hcms=count(61, 9, None, None))
        | {"seeds": [4]}
    )
    assert found.startswith(
        "High-confidence mistakes on unseen test data went from 61 to 22 at matched coverage (-64%; one seed, so no "
        "interval); accuracy rose"
    )
    found = headline(metrics(seeds=1, hcms_at_matched_coverage=count(0, 0, None, None), hcms=count(0, 0, None, None)))
    assert "went from 0 to 0 at matched coverage (one seed, so no interval)" in found


def test_too_few_for_a_share() -> None:
    found = headline(metrics(hcms_at_matched_coverage=count(3, 1, -4.3, -0.3, share=False)))
    assert "fell from 3 to 1 at matched coverage (-2.0, 95% interval -4.3 to -0.3, 3 seeds)" in found


def test_no_teacher() -> None:
    assert headline(metrics(arm=None)) == (
        "The classifier is wrong with confidence >= 0.9 on 57 of 1,200 pool rows. No arm has a teacher, so nothing was done "
        "about it."
    )


def test_nothing_was_found_about_the_mistakes() -> None:
    assert headline(metrics(kept=0, hypotheses=0)) == (
        "The classifier is wrong with confidence >= 0.9 on 57 of 1,200 pool rows. The teacher miner found nothing that sets "
        "them apart from correctly predicted rows, so no instances were written and nothing changed. A larger pool, or a lower "
        "`detect.confidence`, gives it more to learn from."
    )


def test_no_instance_was_kept() -> None:
    assert headline(metrics(kept=0)) == (
        "The classifier is wrong with confidence >= 0.9 on 57 of 1,200 pool rows. No instance for them was kept, so nothing "
        "changed; the report lists what was dropped and why."
    )


@pytest.mark.parametrize("hypotheses", [0, 4])
def test_what_others_added_is_not_denied(hypotheses: int) -> None:
    found = metrics(kept=0, hypotheses=hypotheses)
    found["instances"] |= {"crowd": [{"kept": 0}, {"kept": 2}], "idle": [{"kept": 0}]}
    said = headline(found)
    assert "it changed nothing" in said
    assert said.endswith(" Others added some: crowd.")


@pytest.mark.parametrize(
    ("most", "lower", "advice"),
    [
        (
            0.853,
            {"0.85": 0.3, "0.8": 12.0, "0.75": 20.0, "0.7": 31.0},
            "so there is nothing to mitigate; its most confident mistake has 0.853. Lower `detect.confidence`: there would "
            "be 0.3 at 0.85, 12 at 0.8, 20 at 0.75.",
        ),
        (
            0.389,
            {},
            "so there is nothing to mitigate; its most confident mistake has 0.389. Lower `detect.confidence` below that.",
        ),
        (
            None,
            {},
            "because the classifier is right on every row. A lower `detect.confidence` would find nothing; a harder pool "
            "might.",
        ),
    ],
)
def test_no_hcm_in_the_pool(most: float | None, lower: dict[str, float], advice: str) -> None:
    found = headline(metrics(pool_hcms=0.0, most_confident_mistake=most, hcms_at_lower_confidence=lower))
    assert found == f"The pool set has no mistake with confidence >= 0.9, {advice}"


@pytest.mark.parametrize(
    ("detectable", "expected"),
    [
        (None, ""),
        (
            0.183,
            "a fall at matched coverage of less than 18% would be missed more than once in five.",
        ),
        (1.2, "no fall of HCMs at matched coverage would be detected four times in five."),
    ],
)
def test_what_could_have_been_seen(detectable: float | None, expected: str) -> None:
    power = {"hcms": 61.0, "seeds": 5, "detectable": detectable}
    found = power_in_words({"seeds": [0, 1, 2, 3, 4], "sets": {"test": {"power": power}}})
    assert found == (f"With 61 HCMs and 5 seeds, {expected}" if expected else "")


def test_p_values_are_written_as_one_writes_them() -> None:
    assert [p_value(p) for p in (None, 1e-20, 0.0014, 0.5)] == ["", "< 0.001", "0.001", "0.500"]
