"""Which instances are taken: the most telling ones, those that differ, or a compromise."""

from __future__ import annotations

import numpy as np
import pytest

from hcmlang.data.table import Table
from hcmlang.loop.choose import best
from hcmlang.progress import SILENT, Progress

#: Two clusters of three rows and one outlier; the classifier is surest of its mistakes in the first cluster.
PLACES = np.array([[0, 0], [0, 0.1], [0.1, 0], [5, 5], [5, 5.1], [5.1, 5], [0, 9]], dtype=np.float32)
WRONG = np.array([0.9, 0.95, 0.99, 0.2, 0.3, 0.1, 0.0])


class Fixed:
    def predict_proba(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        of_other = WRONG[: len(table)]
        scores = np.empty((len(table), 2), dtype=np.float32)
        scores[np.arange(len(table)), table.y] = 1 - of_other
        scores[np.arange(len(table)), 1 - table.y] = of_other
        return scores

    def embed(self, table: Table, progress: Progress = SILENT) -> np.ndarray:
        return PLACES[: len(table)]

    def save(self, folder: object) -> None:
        raise NotImplementedError


@pytest.fixture
def table() -> Table:
    return Table.of(["text"], ["no", "yes"], [[str(n)] for n in range(7)], [0, 1, 0, 1, 0, 1, 0])


def test_the_most_confident_mistakes(table: Table) -> None:
    assert best(table, 3, ["confidence_in_error"], Fixed()) == [2, 1, 0]


def test_one_of_each_kind(table: Table) -> None:
    taken = best(table, 3, ["diversity"], Fixed())
    assert len({row // 3 for row in taken}) == 3


def test_both_together_take_the_best_of_each_kind(table: Table) -> None:
    taken = best(table, 3, ["confidence_in_error", "diversity"], Fixed())
    assert taken[0] == 2
    assert {row // 3 for row in taken} == {0, 1, 2}
    assert 4 in taken, "of its cluster the surest mistake"


def test_the_surest_labels(table: Table) -> None:
    certainty = np.array([0.0, 0.2, 0.9, 1.0, 0.3, 0.0, 0.8])
    assert best(table, 3, ["label_certainty"], Fixed(), certainty) == [3, 2, 6]
    assert best(table, 2, ["label_certainty", "confidence_in_error"], Fixed(), certainty) == [2, 3]


@pytest.mark.parametrize("criteria", [["confidence_in_error"], ["diversity"], ["confidence_in_error", "diversity"]])
def test_no_more_than_there_are(table: Table, criteria: list[str]) -> None:
    assert sorted(best(table, 50, criteria, Fixed())) == list(range(7))  # type: ignore[arg-type]
    assert best(table.take([]), 5, criteria, Fixed()) == []  # type: ignore[arg-type]
