"""Batches by length: no row is lost, padding is limited, and a batch is halved when memory runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hcmlang import classifiers
from hcmlang.classifiers import batches, tiny
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from tests.classifiers.conftest import reviews

CONFIG = TransformersClassifier.model_validate({"kind": "transformers", "model": "tiny", "device": "cpu", "epochs": 1})


def lengthy(rows: int) -> Table:
    """Texts of 1 to 40 words."""
    random = np.random.default_rng(0)
    words = [word for text in reviews(50).joined() for word in text.split()]
    texts = [(" ".join(random.choice(words, length)),) for length in random.integers(1, 41, rows)]
    return Table.of(["text"], ["negative", "positive"], texts, np.arange(rows) % 2)


@given(st.lists(st.integers(0, 300)), st.integers(1, 500))
def test_every_row_is_in_one_batch_that_fits(lengths: list[int], tokens: int) -> None:
    found = list(batches.by_length(np.array(lengths, dtype=np.int64), tokens))
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= tokens


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_are_padded_as_the_library_does(side: str) -> None:
    tokenizer = tiny.tokenizer(reviews(50), 64)
    tokenizer.padding_side = side
    texts = [column[:20] for column in lengthy(20).columns]
    window = batches.encoded(tokenizer, [list(column) for column in texts], 16)
    expected = tokenizer(list(texts[0]), truncation=True, max_length=16, padding=True, return_tensors="pt")
    padded = window.padded(np.arange(20), window.lengths())
    assert padded.keys() == expected.keys()
    for name, values in padded.items():
        assert torch.equal(values, expected[name]), name


def test_windows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = lengthy(500)
    model = classifiers.fit(CONFIG, table, seed=0)
    scores, vectors = model.predict_proba(table), model.embed(table)
    monkeypatch.setattr(batches, "WINDOW", 64)
    monkeypatch.setitem(batches._MOST, "cpu", 256)
    assert np.allclose(model.predict_proba(table), scores, rtol=0, atol=1e-6)
    assert np.allclose(model.embed(table), vectors, rtol=0, atol=1e-5)


def test_probabilities_are_those_of_the_library(tmp_path: Path) -> None:
    table = lengthy(100)
    model = classifiers.fit(CONFIG, table, seed=0)
    model.save(tmp_path)
    plain, tokenizer = classifiers.open_model(tmp_path).eval(), tiny.tokenizer(table, CONFIG.max_tokens)
    with torch.no_grad():
        alone = [plain(**tokenizer(text, return_tensors="pt")).logits.softmax(-1) for text in table.joined()]
    assert np.allclose(model.predict_proba(table), torch.cat(alone).numpy(), rtol=0, atol=1e-6)


def test_the_next_window_is_encoded_meanwhile() -> None:
    """The second item is made before the first one's user is done: else this would wait forever."""
    begun = {number: threading.Event() for number in range(3)}

    def make(number: int) -> int:
        begun[number].set()
        return number

    found = []
    for number in batches.ahead(make, range(3)):
        assert number == 2 or begun[number + 1].wait(20)
        found.append(number)
    assert found == [0, 1, 2]


def test_an_error_of_the_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(batches.ahead(lambda number: 1 // number, [1, 0, 1]))


def limited(rows: int, error: Callable[[], RuntimeError]) -> tuple[list[int], Callable[[batches.Inputs], torch.Tensor]]:
    """A model that has no memory for more than so many rows, and the sizes that it was given."""
    sizes: list[int] = []

    def forward(inputs: batches.Inputs) -> torch.Tensor:
        ids = inputs["input_ids"]
        sizes.append(len(ids))
        if len(ids) > rows:
            raise error()
        return ids.sum(dim=1, keepdim=True).float()

    return sizes, forward


def through(forward: Callable[[batches.Inputs], torch.Tensor]) -> np.ndarray:
    window = batches.Encoded({"input_ids": [[number] * (1 + number % 3) for number in range(13)]}, {"input_ids": 0})
    (found,) = batches.outputs([0], lambda _: window, forward, 1_000, "cpu")
    return found[:, 0]


def test_a_batch_without_room_is_halved() -> None:
    sizes, forward = limited(4, lambda: torch.OutOfMemoryError("CUDA out of memory"))
    assert through(forward).tolist() == [number * (1 + number % 3) for number in range(13)]
    assert max(sizes[1:]) < 13


def test_a_row_without_room_is_told() -> None:
    _, forward = limited(0, lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="can't allocate"):
        through(forward)


def test_other_errors_are_not_taken_for_want_of_memory() -> None:
    sizes, forward = limited(4, lambda: RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        through(forward)
    assert sizes == [13]


def test_a_small_machine_gets_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    base = SimpleNamespace(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3_072)
    monkeypatch.setattr(batches, "_memory", lambda device: 64 << 20)
    assert batches.room(base, "cpu", 64) < 2_048
    assert batches.room(base, "cpu", 512) == 512  # one row must have room
    monkeypatch.setattr(batches, "_memory", lambda device: 64 << 30)
    assert batches.room(base, "cpu", 512) == 2_048
    assert batches.room(base, "cuda", 512) == 65_536
