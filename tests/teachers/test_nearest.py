"""Rows like the mistakes of a group: the block-wise search finds the same rows as a search in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from hcmlang.data.records import Group
from hcmlang.data.table import Table
from hcmlang.teachers import nearest
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import describe, features_of, words_of

LABELS = ("negative", "positive")
WORDS = ("not", "never", "good", "plot", "film", "dull", "cast")


def drawn(seed: int, rows: int, hidden: float = 0.0) -> Case:
    """A pool of random rows with few confidences, so that many rows are equal, and three groups."""
    random = Random(seed)
    texts = [(" ".join(random.choices(WORDS, k=random.randint(0, 6))),) for _ in range(rows)]
    pool = Table.of(["text"], LABELS, texts, [random.randrange(2) for _ in range(rows)])
    sure = np.array([random.choice([0.2, 0.4, 0.6, 0.8, 0.9]) for _ in range(rows)], dtype=np.float32)
    groups = tuple(
        Group(f"g-{n}", LABELS[1 - label], LABELS[label], (0,), tuple(random.sample(WORDS, 2)), "")
        for n, label in enumerate([0, 1, 1])
    )
    secret = {row for row in range(rows) if random.random() < hidden}

    def may_show(asked: Sequence[int]) -> list[int]:
        return [row for row in asked if row not in secret]

    return Case(pool, np.stack([1 - sure, sure], axis=1), 0.9, groups, may_show=may_show)


def straightforward(case: Case, group: Group, count: int) -> list[int]:
    words = [set(words_of(text)) for (text,) in case.pool.texts()]
    label = LABELS.index(group.predicted)
    right = [row for row in range(len(case.pool)) if case.scores[row].argmax() == label == case.pool.y[row]]
    right.sort(key=lambda row: (-len(set(group.terms) & words[row]), -case.scores[row].max(), row))
    return list(case.may_show(right))[:count]


@pytest.mark.parametrize("hidden", [0.0, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_rows_are_those_of_a_search_that_holds_all(
    seed: int, hidden: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_BLOCK", 7)
    case = drawn(seed, 300, hidden)
    assert nearest.right_like(case, 3) == [straightforward(case, group, 3) for group in case.groups]


def test_a_large_pool_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK", 1_024)
    case = drawn(0, 40_000)
    case.pool.write(tmp_path / "pool.arrow")
    case = Case(Table.read(tmp_path / "pool.arrow", ["text"], LABELS), case.scores, 0.9, case.groups)
    tracemalloc.start()
    try:
        nearest.right_like(case, 8)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40_000 * 50, "a text of a row alone takes more"


def test_rows_are_described_by_their_own_features() -> None:
    pool = drawn(1, 50).pool
    described = describe(pool)
    for row, texts in enumerate(pool.texts()):
        own = {described.features[i] for i in described.has[[row]].nonzero()[1]}
        assert own == features_of(texts, pool.fields, described.lengths)
