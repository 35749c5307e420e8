"""Groups of HCMs: edge cases, and their descriptions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN

from hcmlang.data.records import Group
from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress, Silent
from hcmlang.spec import model as spec
from hcmlang.steps import group
from hcmlang.steps.group import group_errors


def grouped(
    wrong: Sequence[str], right: Sequence[str] = (), method: str = "hdbscan", progress: Progress = SILENT
) -> list[Group]:
    """Groups of the negative rows `wrong`, taken for positive beside the positive rows `right`."""
    texts = [(text,) for text in (*wrong, *right)]
    pool = Table.of(["text"], ["negative", "positive"], texts, [0] * len(wrong) + [1] * len(right))
    scores = np.tile(np.array([[0.03, 0.97]], dtype=np.float32), (len(texts), 1))
    config = spec.Group.model_validate({"method": method})
    return group_errors(pool, scores, np.arange(len(wrong)), config, seed=0, progress=progress)


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


def test_of_too_many_hcms_a_sample_is_clustered(monkeypatch: pytest.MonkeyPatch) -> None:
    """HDBSCAN sees no more than it can, the run says so, and every mistake is in the group of its like."""
    monkeypatch.setattr(group, "MOST", 40)
    seen, said = [], []
    whole = HDBSCAN.fit_predict

    def fit_predict(self: HDBSCAN, vectors: np.ndarray) -> np.ndarray:
        seen.append(len(vectors))
        return np.asarray(whole(self, vectors))

    monkeypatch.setattr(HDBSCAN, "fit_predict", fit_predict)

    class Noted(Silent):
        def note(self, message: str) -> None:
            said.append(message)

    words = [f"{a}{b}" for a in "bdfg" for b in ("an", "en", "in", "on", "un")]
    calls = [f"i could not call the {word} witty" for word in words * 3]
    films = [f"this horror film is {word} and dark" for word in words * 3]
    groups = grouped([*calls, *films], progress=Noted())
    assert seen == [40]
    assert [line.partition(",")[0] for line in said] == [
        "120 HCMs of negative taken for positive: 40 of them are clustered"
    ]
    assert sorted(row for one in groups for row in one.rows) == list(range(120))
    for one in groups:
        assert len({row < 60 for row in one.rows}) == 1 or one is groups[-1]
    assert grouped([*calls, *films]) == groups
