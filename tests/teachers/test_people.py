"""People may give the same answers about a group as a model."""

from __future__ import annotations

from typing import Any

import pytest

from hcmlang.teachers.hypotheses import triggers_of
from hcmlang.teachers.people import evidence_of, problem

CONTENT: dict[str, Any] = {
    "gold": "negative",
    "predicted": "positive",
    "mistakes": [{"number": 1, "texts": {"text": "not a good film"}}, {"number": 2, "texts": {"text": "never dull"}}],
}
GOOD: dict[str, Any] = {
    "statement": "Praise that a negation turns around is read as praise",
    "triggers": ["not"],
    "evidence": [],
}


def test_a_good_answer_is_taken() -> None:
    assert problem(CONTENT, GOOD) is None
    assert problem(CONTENT, {**GOOD, "triggers": [], "evidence": [2]}) is None
    assert problem(CONTENT, {"nothing": True}) is None


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("statement", {"statement": "Too short"}),
        ("statement", {"statement": "x" * 301}),
        ("statement", {"statement": "There is a negation. And it is not seen by the classifier."}),
        ("statement", {"statement": "onewordthatislongenough"}),
        ("triggers", {"triggers": [str(n) for n in range(9)], "evidence": [1]}),
        ("triggers", {"triggers": ["x" * 41], "evidence": [1]}),
        ("triggers", {"triggers": ["not a good old film"], "evidence": [1]}),
        ("triggers", {"triggers": ["not {x}"], "evidence": [1]}),
        ("evidence", {"triggers": ["horror"], "evidence": []}),
    ],
)
def test_others_are_not(part: str, changes: dict[str, Any]) -> None:
    found = problem(CONTENT, {**GOOD, **changes})
    assert found is not None
    assert found[0] == part


def test_words_are_split_at_commas_and_point_to_texts() -> None:
    assert triggers_of(" not,  Never ,NOT,, - , for  all") == ["NOT", "Never", "for all"]
    assert evidence_of(CONTENT, {"triggers": ["never"], "evidence": [1]}) == [1, 2]
