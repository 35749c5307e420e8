"""The classifier on a frozen encoder: a small BERT from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from hcmlang import classifiers
from hcmlang.classifiers import sentence_encoder, tiny
from hcmlang.classifiers.encoder import EncoderClassifier
from hcmlang.diagnostics import DiagnosticError
from tests.classifiers.conftest import accuracy, pairs, reviews


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights: even so, mean vectors of words tell labels apart. Not those of every draw, so it is one."""
    path = tmp_path_factory.mktemp("encoder")
    tokenizer = tiny.tokenizer(reviews(200), 64)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def config(folder: Path, **values: Any) -> EncoderClassifier:
    return EncoderClassifier.model_validate({"kind": "encoder", "model": str(folder), "device": "cpu", **values})


def test_it_learns_and_comes_back_from_the_disk(folder: Path, tmp_path: Path) -> None:
    train, test = reviews(200), reviews(60, seed=1)
    model = classifiers.fit(config(folder), train, seed=0)
    assert accuracy(model.predict_proba(test), test) > 0.9
    model.save(tmp_path)
    again = classifiers.load(config(folder), tmp_path, test.labels)
    assert (again.predict_proba(test) == model.predict_proba(test)).all()
    assert (classifiers.open_model(tmp_path).predict_proba(test) == model.predict_proba(test)).all()
    with pytest.raises(DiagnosticError, match="the model's labels are"):
        classifiers.load(config(folder), tmp_path, ("no", "yes"))


def test_weights_count(folder: Path) -> None:
    train = reviews(100)
    alone = classifiers.fit(config(folder), train, seed=0, weights=np.where(train.y == 0, 1, 0.01).astype(np.float32))
    assert alone.predict_proba(train)[:, 0].mean() > 0.6


def test_a_pair_is_seen_together(folder: Path) -> None:
    vectors = config(folder).fit(pairs(100), seed=0).embed(pairs(10))
    single = config(folder).fit(reviews(100), seed=0).embed(reviews(10))
    assert vectors.shape == (10, 4 * single.shape[1])
    assert np.linalg.norm(single, axis=1) == pytest.approx(np.ones(10), abs=1e-5)


def test_what_is_kept_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows give the same bytes, whatever was encoded before, and in a table of their own or at its beginning."""
    train = reviews(sentence_encoder._BLOCK + 100)
    monkeypatch.setattr(sentence_encoder, "_CACHE", type(sentence_encoder._CACHE)())
    first = config(folder).fit(train, seed=0).embed(train)
    assert len(sentence_encoder._CACHE) == 2
    longer = config(folder).fit(train, seed=0).embed(train + reviews(50, seed=3))
    assert (longer[: sentence_encoder._BLOCK] == first[: sentence_encoder._BLOCK]).all()
    monkeypatch.setattr(sentence_encoder, "_CACHE", type(sentence_encoder._CACHE)())
    assert (config(folder).fit(train, seed=0).embed(train) == first).all()


def test_few_blocks_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_encoder, "_CACHE", type(sentence_encoder._CACHE)())
    monkeypatch.setattr(sentence_encoder, "_CACHED", 1)
    model = config(folder).fit(reviews(30), seed=0)
    model.embed(reviews(20, seed=5))
    assert len(sentence_encoder._CACHE) == 1


def test_an_encoder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="cannot load the model") as caught:
        classifiers.fit(config(tmp_path / "nothing"), reviews(20), seed=0)
    assert "classifier.model" in str(caught.value)
