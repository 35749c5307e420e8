"""The transformer classifier: `tiny` and a small BERT from a folder, and the options of the Trainer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
)

from hcmlang import classifiers
from hcmlang.classifiers import tiny
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from tests.classifiers.conftest import accuracy, pairs, relabelled, reviews

Folder = Callable[[str], Path]
LABELS = ("negative", "positive")
THREE = ("negative", "neutral", "positive")


def config(model: str | Path = "tiny", **values: Any) -> TransformersClassifier:
    given = {"kind": "transformers", "model": str(model), "device": "cpu", "batch_size": 16, **values}
    return TransformersClassifier.model_validate(given)


#: Few rows need more passes, and larger steps.
QUICK = config(epochs=7, learning_rate=2e-3)


@pytest.fixture(scope="module")
def trained() -> classifiers.Classifier:
    """`tiny`, trained on reviews."""
    return classifiers.fit(QUICK, reviews(160), seed=3)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT of 24 positions, which knows its labels by number only."""
    folder = tmp_path_factory.mktemp("bert")
    words = tiny.tokenizer(reviews(200), 10**30)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    shape = BertConfig(vocab_size=len(words), max_position_embeddings=24, **size)
    BertForSequenceClassification(shape).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def test_tiny_learns_and_becomes_confident(trained: classifiers.Classifier) -> None:
    test = reviews(50, seed=1)
    scores = trained.predict_proba(test)
    assert (scores.dtype, scores.shape) == (np.float32, (50, 2))
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert accuracy(scores, test) == 1
    assert np.median(scores.max(axis=1)) > 0.9


def test_the_same_seed_gives_the_same_probabilities() -> None:
    test = reviews(50, seed=1)
    first, again, other = (classifiers.fit(config(epochs=2), reviews(48), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.predict_proba(test), again.predict_proba(test))
    assert not np.array_equal(first.predict_proba(test), other.predict_proba(test))


def test_shared_random_states_are_left_alone() -> None:
    def states() -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    classifiers.fit(config(epochs=1), reviews(20), seed=2**40)
    assert states() == before


def test_a_row_has_its_probabilities_in_any_company(trained: classifiers.Classifier) -> None:
    """Rows are sorted by length and padded in batches; each comes back in its place."""
    texts = [(" ".join(["the film was " + ("great" if n % 2 else "awful")] * (1 + n % 7)),) for n in range(100)]
    table = Table.of(["text"], LABELS, texts, [n % 2 for n in range(100)])
    together = trained.predict_proba(table)
    alone = np.concatenate([trained.predict_proba(table.take([n])) for n in range(0, 100, 9)])
    assert np.allclose(together[::9], alone, atol=1e-5)
    vectors = np.concatenate([trained.embed(table.take([n])) for n in range(0, 100, 9)])
    assert np.allclose(trained.embed(table)[::9], vectors, atol=1e-4)


def test_saved_and_loaded_it_is_the_same(trained: classifiers.Classifier, folder: Folder) -> None:
    test = reviews(50, seed=1)
    trained.save(where := folder("model"))
    loaded = classifiers.load(config(), where, LABELS)
    assert np.array_equal(loaded.predict_proba(test), trained.predict_proba(test))
    turned = classifiers.load(config(), where, LABELS[::-1])
    assert np.array_equal(turned.predict_proba(test), trained.predict_proba(test)[:, ::-1])
    assert not list(where.glob("*.bin"))


def test_a_saved_model_is_the_librarys_own(trained: classifiers.Classifier, folder: Folder) -> None:
    trained.save(where := folder("model"))
    test = reviews(1, seed=1)
    words = AutoTokenizer.from_pretrained(where)(list(test.joined()), return_tensors="pt")
    expected = trained.predict_proba(test)
    for model in (AutoModelForSequenceClassification.from_pretrained(where), classifiers.open_model(where)):
        assert model.config.id2label == dict(enumerate(LABELS))
        assert model.config.label2id == {"negative": 0, "positive": 1}
        with torch.no_grad():
            assert np.allclose(model(**words).logits.softmax(-1).numpy(), expected, atol=1e-6)


def test_embeddings(trained: classifiers.Classifier) -> None:
    vectors = trained.embed(reviews(40, seed=1))
    assert (vectors.dtype, vectors.shape) == (np.float32, (40, 64))
    assert np.array_equal(vectors, trained.embed(reviews(40, seed=1)))


def test_no_rows_have_no_probabilities(trained: classifiers.Classifier) -> None:
    assert trained.predict_proba(reviews(0)).shape == (0, 2)
    assert len(trained.embed(reviews(0))) == 0


def test_three_labels() -> None:
    test = reviews(60, THREE, seed=1)
    scores = classifiers.fit(QUICK, reviews(180, THREE), seed=0).predict_proba(test)
    assert scores.shape == (60, 3)
    assert accuracy(scores, test) == 1


def test_a_pair_is_encoded_as_a_pair(folder: Folder) -> None:
    model = classifiers.fit(config(epochs=1), pairs(40), seed=0)
    model.save(where := folder("model"))
    words = AutoTokenizer.from_pretrained(where)("i saw the film", "they saw the film")
    assert words["token_type_ids"] == [0] * 6 + [1] * 5
    rows = pairs(40, seed=1)
    apart = Table(rows.fields, rows.labels, rows.columns[::-1], rows.y)
    assert not np.allclose(model.predict_proba(rows), model.predict_proba(apart))


def test_weights_matter() -> None:
    """The same text with both labels: the heavier one wins."""
    table = Table.of(["text"], LABELS, [("so so",), ("so so",)] * 20, [0, 1] * 20)
    for weights, winner in [((9, 1), 0), ((1, 9), 1)]:
        model = classifiers.fit(config(epochs=3), table, seed=0, weights=np.tile(np.float32(weights), 20))
        assert model.predict_proba(table)[0].argmax() == winner


def test_a_checkpoint_is_gone_on_from(trained: classifiers.Classifier, folder: Folder) -> None:
    test = reviews(50, seed=1)
    trained.save(start := folder("start"))
    hardly = config(epochs=1, learning_rate=1e-7)
    on = classifiers.fit(hardly, reviews(32, seed=5), seed=0, start=start).predict_proba(test)
    assert np.allclose(on, trained.predict_proba(test), atol=1e-3)
    turned = relabelled(reviews(32, seed=5), LABELS[::-1])
    on = classifiers.fit(hardly, turned, seed=0, start=start).predict_proba(test)
    assert np.allclose(on, trained.predict_proba(test)[:, ::-1], atol=1e-3)
    anew = classifiers.fit(hardly, reviews(32, seed=5), seed=0).predict_proba(test)
    assert not np.allclose(anew, trained.predict_proba(test), atol=1e-1)


def test_a_model_in_a_folder_is_fine_tuned(bert: Path, folder: Folder) -> None:
    test = reviews(50, seed=1)
    model = classifiers.fit(config(bert, epochs=5, learning_rate=5e-3), reviews(160), seed=0)
    assert accuracy(model.predict_proba(test), test) == 1
    model.save(where := folder("model"))
    assert classifiers.open_model(where).config.id2label == dict(enumerate(LABELS))
    three = classifiers.fit(config(bert, epochs=1), reviews(30, THREE), seed=0)
    assert three.predict_proba(test).shape == (50, 3)


def test_a_fine_tuned_model_keeps_its_head(trained: classifiers.Classifier, folder: Folder) -> None:
    """It has the labels in another order than the task."""
    trained.save(where := folder("model"))
    test = relabelled(reviews(50, seed=1), LABELS[::-1])
    hardly = config(where, epochs=1, learning_rate=1e-7)
    model = classifiers.fit(hardly, relabelled(reviews(32, seed=5), LABELS[::-1]), seed=0)
    assert accuracy(model.predict_proba(test), test) == 1


def test_half_precision_is_trained_in_full(bert: Path, folder: Folder) -> None:
    where = folder("half")
    AutoModelForSequenceClassification.from_pretrained(bert).half().save_pretrained(where)
    AutoTokenizer.from_pretrained(bert).save_pretrained(where)
    classifiers.fit(config(where, epochs=1), reviews(20), seed=0).save(full := folder("full"))
    assert classifiers.open_model(full).dtype == torch.float32


def test_a_text_longer_than_the_model_is_cut(bert: Path) -> None:
    table = Table.of(["text"], LABELS, [("film " * 200,), ("book " * 3,)] * 4, [0, 1] * 4)
    model = classifiers.fit(config(bert, epochs=1), table, seed=0)
    assert model.predict_proba(table).shape == (8, 2)
    short = classifiers.fit(config(epochs=1, max_tokens=8), table, seed=0)
    assert short.predict_proba(table).shape == (8, 2)


class Heard:
    """A progress that counts."""

    def __init__(self) -> None:
        self.tasks: dict[str, list[int | None]] = {}

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        self.tasks[title] = [total, 0]

        def advance(done: int) -> None:
            self.tasks[title][1] += done

        yield advance

    def note(self, message: str) -> None:
        pass


def test_progress_reaches_its_total() -> None:
    heard = Heard()
    model = classifiers.fit(config(epochs=2.5), reviews(40), seed=0, progress=heard)
    model.predict_proba(reviews(70), heard)
    assert heard.tasks == {"training on 40 rows": [8, 8], "predicting 70 rows": [70, 70]}


def test_nothing_is_printed_or_left_behind(
    bert: Path, folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, here = folder("model"), folder("here")
    monkeypatch.chdir(here)
    classifiers.fit(config(bert, epochs=1), reviews(20, THREE), seed=0).save(where)
    model = classifiers.load(config(), where, THREE)
    model.predict_proba(reviews(5))
    model.embed(reviews(5))
    classifiers.open_model(where)
    assert capfd.readouterr() == ("", "")
    assert list(here.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------- what is told


def told(call: Callable[[], object]) -> str:
    with pytest.raises(DiagnosticError) as caught:
        call()
    return str(caught.value)


def test_rows_of_one_label() -> None:
    message = told(lambda: classifiers.fit(config(), reviews(10).take([1, 3, 5]), seed=0))
    assert message.startswith("error: all 3 train rows have the label `positive` [one-label]")


@pytest.mark.parametrize("name", ["./no/such/folder", "no-such-model", "empty"])
def test_a_model_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    message = told(lambda: classifiers.fit(config(name), reviews(10), seed=0))
    assert message.startswith(f"error: cannot load the model {name}: ")
    assert message.endswith(
        "[model-not-loaded]\n  hint: set `classifier.model` to a hub id (when online), a folder with config.json, "
        "model.safetensors and a tokenizer, or `tiny`"
    )


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_folder_that_is_not_whole(file: str, damage: str, bert: Path, folder: Folder) -> None:
    where = folder("model")
    for path in bert.iterdir():
        (where / path.name).write_bytes(path.read_bytes())
    if damage == "missing":
        (where / file).unlink()
    else:
        (where / file).write_bytes((where / file).read_bytes()[:100])
    start = f"error: cannot load the model {where}: "
    assert told(lambda: classifiers.fit(config(where), reviews(10), seed=0)).startswith(start)
    message = told(lambda: classifiers.load(config(where), where, LABELS))
    assert message.startswith(start)
    assert message.endswith("hint: remove the folder, so that the next run trains the model again")


def test_a_model_of_other_labels(trained: classifiers.Classifier, folder: Folder) -> None:
    trained.save(where := folder("model"))
    message = "error: the model's labels are negative, positive; the task's are negative, neutral, positive"
    assert told(lambda: classifiers.load(config(), where, THREE)).startswith(message)
    assert told(lambda: classifiers.fit(config(), reviews(30, THREE), seed=0, start=where)).startswith(message)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device")
def test_a_device_that_is_not_there() -> None:
    assert told(lambda: classifiers.fit(config(device="cuda"), reviews(10), seed=0)) == (
        "error: there is no cuda device on this machine [no-device]\n  hint: use `device: auto`"
    )


def test_memory_that_does_not_suffice(trained: classifiers.Classifier) -> None:
    """A batch of a size that no machine has room for."""
    from hcmlang.classifiers.batches import memory

    def exhaust() -> None:
        with memory():
            torch.empty(2**60, dtype=torch.uint8)

    assert told(exhaust) == (
        "error: the device's memory is full [out-of-memory]\n"
        "  hint: lower `classifier.batch_size` or `classifier.max_tokens`; finished steps are kept"
    )
