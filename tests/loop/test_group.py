"""What groups of HCMs look like at the edges, and what is told of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest

from hcmlang.data.records import Group
from hcmlang.data.table import Table
from hcmlang.loop.group import group_errors
from hcmlang.spec import model as spec


def grouped(wrong: Sequence[str], right: Sequence[str] = (), method: str = "hdbscan") -> list[Group]:
    """Groups of the negative rows `wrong`, taken for positive beside the positive rows `right`."""
    texts = [(text,) for text in (*wrong, *right)]
    pool = Table.of(["text"], ["negative", "positive"], texts, [0] * len(wrong) + [1] * len(right))
    scores = np.tile(np.array([[0.03, 0.97]], dtype=np.float32), (len(texts), 1))
    config = spec.Group.model_validate({"method": method})
    return group_errors(pool, scores, np.arange(len(wrong)), config, seed=0)


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
@pytest.mark.parametrize(
    "texts", [["!!!", "???", ":(", ".", "?", "!"], ["", "", "", "", "", ""], ["same"] * 9, ["one"]]
)
def test_rows_that_words_cannot_tell_apart_are_one_group(texts: list[str], method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (group,) = grouped(texts, method=method)
    assert group.rows == tuple(range(len(texts)))
    assert group.summary == f"{len(texts)} negative row{'s' * (len(texts) > 1)} taken for positive"


def test_kmeans_leaves_a_direction_with_few_rows_whole() -> None:
    assert len(grouped(["one text", "another one", "something else"], method="kmeans")) == 1


def test_terms_are_what_the_group_has_and_the_rest_of_the_prediction_has_not() -> None:
    (group,) = grouped(["the plot is not good", "the cast is not bad"], ["the plot is good", "the cast is bad"] * 20)
    assert group.terms == ("not",)
    assert group.summary == "2 negative rows taken for positive; telling words: not"


def test_outliers_are_a_group_of_their_own_and_last() -> None:
    calls = [f"i could not call the {word} witty" for word in ("plot", "cast", "score", "script", "ending", "story")]
    films = [f"this horror film is {word} and dark" for word in ("cosy", "sweet", "gentle", "soft", "mild", "calm")]
    odd = ["blue whales sing", "seven thin reeds", "her old piano broke"]
    groups = grouped([*odd, *calls, *films])
    assert groups[-1].rows == (0, 1, 2)
    assert groups[-1].summary.startswith("3 negative rows taken for positive, unlike each other")
    assert [group.id for group in groups] == [f"negative-as-positive-{n}" for n in range(1, len(groups) + 1)]


def test_no_errors_are_no_groups() -> None:
    assert grouped([], ["fine"]) == []
