"""Choosing instances: the most informative ones, diverse ones, or a compromise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hcmlang.criteria.confidence_in_error import ConfidenceInError
from hcmlang.criteria.diversity import Diversity
from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress
from hcmlang.steps.select import best
from tests.loop.made_up import context_in, given

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


def chosen(
    folder: Path, table: Table, keep: int, criteria: Sequence[str], certainty: np.ndarray | None = None
) -> list[int]:
    kinds = {"confidence_in_error": ConfidenceInError, "diversity": Diversity}
    own = [kinds[name](given(Fixed())) for name in criteria]
    scorers = [one.scorer(context_in(folder), (), table) for one in own]
    if certainty is not None:
        scorers.append(lambda taken: certainty)
    return best(scorers, len(table), keep)


@pytest.fixture
def table() -> Table:
    return Table.of(["text"], ["no", "yes"], [[str(n)] for n in range(7)], [0, 1, 0, 1, 0, 1, 0])


def test_the_most_confident_mistakes(table: Table, tmp_path: Path) -> None:
    assert chosen(tmp_path, table, 3, ["confidence_in_error"]) == [2, 1, 0]


def test_one_of_each_kind(table: Table, tmp_path: Path) -> None:
    taken = chosen(tmp_path, table, 3, ["diversity"])
    assert len({row // 3 for row in taken}) == 3


def test_both_together_take_the_best_of_each_kind(table: Table, tmp_path: Path) -> None:
    taken = chosen(tmp_path, table, 3, ["confidence_in_error", "diversity"])
    assert taken[0] == 2
    assert {row // 3 for row in taken} == {0, 1, 2}
    assert 4 in taken, "of its cluster the surest mistake"


def test_the_surest_labels(table: Table, tmp_path: Path) -> None:
    certainty = np.array([0.0, 0.2, 0.9, 1.0, 0.3, 0.0, 0.8])
    assert chosen(tmp_path, table, 3, [], certainty) == [3, 2, 6]
    assert chosen(tmp_path, table, 2, ["confidence_in_error"], certainty) == [2, 3]


@pytest.mark.parametrize("criteria", [["confidence_in_error"], ["diversity"], ["confidence_in_error", "diversity"]])
def test_no_more_than_there_are(table: Table, criteria: list[str], tmp_path: Path) -> None:
    assert sorted(chosen(tmp_path, table, 50, criteria)) == list(range(7))
    assert chosen(tmp_path, table.take([]), 5, criteria) == []
