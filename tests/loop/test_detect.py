"""Finding HCMs, and grouping them."""

from __future__ import annotations

import numpy as np
import pytest

from hcmlang.data.table import Table
from hcmlang.evaluation import predictions
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.spec import model as spec
from hcmlang.steps import group
from hcmlang.steps.group import group_errors


def test_confident_errors_are_wrong_and_sure_and_in_order() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.95, 0.05], [0.99, 0.01], [0.95, 0.05]], dtype=np.float32)
    gold = np.array([1, 0, 1, 0, 1])
    assert confident_errors(scores, gold, 0.9).tolist() == [2, 4, 0]
    assert confident_errors(scores, gold, 0.96).tolist() == []


def pool_of(texts: list[str]) -> tuple[Table, np.ndarray]:
    """Rows whose label is negative and that are confidently taken for positive."""
    scores = np.tile(np.array([[0.03, 0.97]], dtype=np.float32), (len(texts), 1))
    return Table.of(["text"], ["negative", "positive"], [[text] for text in texts], [0] * len(texts)), scores


HORROR = [f"this horror film is {word} and dark" for word in ("cosy", "sweet", "gentle", "soft", "mild", "calm")]
NOT = [f"i could not call the {word} witty" for word in ("plot", "cast", "score", "script", "ending", "story")]


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
def test_rows_that_resemble_each_other_are_a_group(method: str) -> None:
    pool, scores = pool_of([text for pair in zip(HORROR, NOT, strict=True) for text in pair])
    rows = np.arange(len(pool))
    config = spec.Group.model_validate({"method": method, "clusters": 2})
    groups = group_errors(pool, scores, rows, config, seed=0)
    assert sorted(row for group in groups for row in group.rows) == rows.tolist()
    sides = [{row % 2 for row in group.rows} for group in groups if len(group.rows) >= 4]
    assert sides in ([{0}, {1}], [{1}, {0}])
    assert groups[0].id == "negative-as-positive-1"
    assert "negative rows taken for positive" in groups[0].summary


def test_each_direction_has_groups_of_its_own() -> None:
    pool, scores = pool_of(HORROR + NOT)
    scores[:3] = scores[:3, ::-1]
    pool.y[:3] = 1
    groups = group_errors(pool, scores, np.arange(len(pool)), spec.Group(), seed=0)
    assert {(group.gold, group.predicted) for group in groups} == {("negative", "positive"), ("positive", "negative")}


def test_few_rows_and_repeated_rows_are_one_group() -> None:
    pool, scores = pool_of(["the same"] * 3)
    (group,) = group_errors(pool, scores, np.arange(3), spec.Group(), seed=0)
    assert group.rows == (0, 1, 2)
    pool, scores = pool_of(["the same"] * 12)
    assert sum(len(g.rows) for g in group_errors(pool, scores, np.arange(12), spec.Group(), seed=0)) == 12


def test_embeddings_take_the_place_of_words() -> None:
    pool, scores = pool_of(["a"] * 12)
    embeddings = np.repeat(np.array([[0.0, 0.0], [9.0, 9.0]]), 6, axis=0) + np.arange(12)[:, None] * 0.01
    groups = group_errors(pool, scores, np.arange(12), spec.Group(), embeddings=embeddings, seed=0)
    assert [set(group.rows) for group in groups] == [set(range(6)), set(range(6, 12))]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes are searched, and words counted, a block of the pool at a time."""
    pool, scores = pool_of(HORROR + NOT)
    scores[::3] = scores[::3, ::-1]
    scores[:, :] += np.linspace(0, 0.001, len(pool))[:, None]
    rows = confident_errors(scores, pool.y, 0.5)
    groups = group_errors(pool, scores, rows, spec.Group(), seed=0)
    assert any(one.terms for one in groups)
    monkeypatch.setattr(predictions, "_BLOCK", 5)
    monkeypatch.setattr(group, "_BLOCK", 7)
    assert confident_errors(scores, pool.y, 0.5).tolist() == rows.tolist()
    assert group_errors(pool, scores, rows, spec.Group(), seed=0) == groups
