"""The linear classifier: determinism, saving and loading, and error messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hcmlang import classifiers
from hcmlang.classifiers.linear import LinearClassifier
from hcmlang.classifiers.tfidf import features
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from tests.classifiers.conftest import accuracy, pairs, relabelled, reviews

CONFIG = LinearClassifier(kind="linear")
Folder = Callable[[str], Path]
THREE = ("negative", "neutral", "positive")


def test_it_learns_and_gives_the_same_probabilities_again() -> None:
    first = classifiers.fit(CONFIG, reviews(200), seed=0).predict_proba(reviews(50, seed=1))
    again = classifiers.fit(CONFIG, reviews(200), seed=0).predict_proba(reviews(50, seed=1))
    assert (first.dtype, first.shape) == (np.float32, (50, 2))
    assert np.array_equal(first, again)
    assert np.allclose(first.sum(axis=1), 1)
    assert accuracy(first, reviews(50, seed=1)) == 1


@pytest.mark.parametrize("labels", [("negative", "positive"), THREE])
def test_saved_and_loaded_it_is_the_same(labels: tuple[str, ...], folder: Folder) -> None:
    table, test = reviews(200, labels), reviews(60, labels, seed=1)
    model = classifiers.fit(CONFIG, table, seed=0)
    where = folder("model")
    model.save(where)
    loaded = classifiers.load(CONFIG, where, labels)
    assert np.array_equal(loaded.predict_proba(test), model.predict_proba(test))
    assert np.array_equal(loaded.embed(test), model.embed(test))
    assert np.array_equal(classifiers.open_model(where).predict_proba(test), model.predict_proba(test))


@pytest.mark.parametrize("labels", [("negative", "positive"), THREE])
def test_labels_in_another_order(labels: tuple[str, ...], folder: Folder) -> None:
    test = reviews(60, labels, seed=1)
    model = classifiers.fit(CONFIG, reviews(200, labels), seed=0)
    model.save(first := folder("first"))
    other = (*labels[1:], labels[0])
    turned = classifiers.load(CONFIG, first, other)
    expected = model.predict_proba(test)[:, [labels.index(name) for name in other]]
    assert np.allclose(turned.predict_proba(test), expected)
    turned.save(second := folder("second"))
    assert np.allclose(classifiers.load(CONFIG, second, labels).predict_proba(test), model.predict_proba(test))
    going_on = classifiers.fit(CONFIG, relabelled(reviews(200, labels), other), seed=0, start=first)
    assert np.allclose(going_on.predict_proba(test), expected, atol=1e-3)


def test_a_pair_is_told_by_what_its_texts_share() -> None:
    scores = classifiers.fit(CONFIG, pairs(300), seed=0).predict_proba(pairs(80, seed=1))
    assert accuracy(scores, pairs(80, seed=1)) == 1
    assert {"0:a b", "1:a", "both:a", "first:b", "overlap>=5"} <= set(features(("a b", "a")))
    assert "overlap>=6" not in features(("a b", "a"))


def test_a_label_that_train_lacks_has_probability_zero() -> None:
    table = Table.of(["text"], THREE, [("bad",), ("good",), ("bad day",), ("good day",)], [0, 2, 0, 2])
    scores = classifiers.fit(CONFIG, table, seed=0).predict_proba(table)
    assert scores.argmax(axis=1).tolist() == [0, 2, 0, 2]
    assert scores[:, 1].tolist() == [0] * 4


def test_weights_matter() -> None:
    """The same text with both labels: the heavier one wins."""
    table = Table.of(["text"], ["negative", "positive"], [("so so",), ("so so",)], [0, 1])
    for weights, winner in [((3, 1), 0), ((1, 3), 1)]:
        model = classifiers.fit(CONFIG, table, seed=0, weights=np.array(weights, dtype=np.float32))
        assert model.predict_proba(table)[0].argmax() == winner


def test_a_checkpoint_keeps_its_features(folder: Folder) -> None:
    classifiers.fit(CONFIG, reviews(100), seed=0).save(start := folder("start"))
    more = reviews(100) + Table.of(["text"], ["negative", "positive"], [("unheard of",)] * 4, [0] * 4)
    model = classifiers.fit(CONFIG, more, seed=0, start=start)
    before = classifiers.load(CONFIG, start, more.labels)
    unknown = Table.of(["text"], more.labels, [("unheard of",), ("zzz",)], [0, 0])
    same = model.predict_proba(unknown)
    assert np.array_equal(same[0], same[1])  # a word that the checkpoint has not seen tells nothing
    assert not np.array_equal(same, before.predict_proba(unknown))
    anew = classifiers.fit(CONFIG, more, seed=0).predict_proba(unknown)
    assert anew[0, 0] > anew[1, 0]


def test_embeddings() -> None:
    model = classifiers.fit(CONFIG, reviews(200), seed=0)
    vectors = model.embed(reviews(40, seed=1))
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 40
    assert 2 <= vectors.shape[1] < 40
    assert np.array_equal(vectors, model.embed(reviews(40, seed=1)))
    assert len(model.embed(reviews(1))) == 1


def test_no_rows_have_no_probabilities() -> None:
    model = classifiers.fit(CONFIG, reviews(20), seed=0)
    assert model.predict_proba(reviews(0)).shape == (0, 2)
    assert len(model.embed(reviews(0))) == 0


def test_rows_of_one_label() -> None:
    with pytest.raises(DiagnosticError) as caught:
        classifiers.fit(CONFIG, reviews(10).take([1, 3, 5]), seed=0)
    assert str(caught.value) == (
        "error: all 3 train rows have the label `positive` [one-label]\n"
        "  hint: a classifier needs rows of at least two labels"
    )


def test_texts_without_a_word() -> None:
    table = Table.of(["text"], ["negative", "positive"], [("...",), ("!!",)], [0, 1])
    with pytest.raises(DiagnosticError, match="the train texts have no words"):
        classifiers.fit(CONFIG, table, seed=0)


@pytest.mark.parametrize("file", ["linear.json", "linear.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_folder_that_is_not_whole(file: str, damage: str, folder: Folder) -> None:
    classifiers.fit(CONFIG, reviews(20), seed=0).save(where := folder("model"))
    path = where / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20] if damage == "cut" else b"")
    with pytest.raises(DiagnosticError) as caught:
        classifiers.load(CONFIG, where, ["negative", "positive"])
    assert str(caught.value).startswith(f"error: cannot load the model {where}: ")
    assert caught.value.diagnostics[0].code == "model-not-loaded"


def test_a_model_of_other_labels(folder: Folder) -> None:
    classifiers.fit(CONFIG, reviews(20), seed=0).save(where := folder("model"))
    with pytest.raises(DiagnosticError) as caught:
        classifiers.load(CONFIG, where, ["no", "yes"])
    assert str(caught.value) == (
        "error: the model's labels are negative, positive; the task's are no, yes [wrong-labels]\n"
        "  hint: train a new model, with `mitigate: {from: scratch}`"
    )


def test_nothing_is_printed(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    where = folder("model")
    classifiers.fit(CONFIG, reviews(50), seed=0).save(where)
    classifiers.load(CONFIG, where, ["negative", "positive"]).predict_proba(reviews(5))
    assert capfd.readouterr() == ("", "")
