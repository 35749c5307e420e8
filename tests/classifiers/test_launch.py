"""Fine-tuning with `accelerate launch`: two CPU processes that communicate through gloo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hcmlang import classifiers
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError

CONFIG = {"kind": "transformers", "model": "tiny", "device": "cpu", "launch": {"processes": 2}}


@pytest.fixture(scope="module")
def table() -> Table:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    words = (["bad", "poor", "awful", "dull"], ["good", "fine", "great", "lovely"])
    texts = [[f"the film was {random.choice(words[label])} indeed"] for label in y]
    return Table.of(["text"], ["negative", "positive"], texts, y.tolist())


def test_two_processes_train_one_model(table: Table, tmp_path: Path) -> None:
    config = TransformersClassifier.model_validate(CONFIG)
    # Of rows that weigh nothing, nothing is learned: what is told of each row reaches the process that has it.
    wrong = Table.of(table.fields, table.labels, table.texts(), (1 - table.y).tolist())
    weights = np.concatenate([np.ones(len(table)), np.zeros(len(table))]).astype(np.float32)
    model = classifiers.fit(config, table + wrong, seed=0, weights=weights)
    scores = model.predict_proba(table)
    assert (scores.argmax(axis=1) == table.y).all()
    model.save(tmp_path)
    assert np.array_equal(classifiers.load(config, tmp_path, table.labels).predict_proba(table), scores)


def test_what_is_wrong_in_the_processes_is_told(table: Table, tmp_path: Path) -> None:
    config = TransformersClassifier.model_validate({**CONFIG, "model": str(tmp_path / "nothing")})
    alone = config.model_copy(update={"launch": None})
    with pytest.raises(DiagnosticError) as expected:
        alone.fit(table, seed=0)
    with pytest.raises(DiagnosticError) as caught:
        classifiers.fit(config, table, seed=0)
    assert caught.value.diagnostics[0].code == "model-not-loaded"
    assert caught.value.diagnostics == expected.value.diagnostics


def test_a_batch_is_divided_into_equal_parts() -> None:
    with pytest.raises(ValidationError, match="must divide `batch_size`, 32, into equal parts; 5 processes do not"):
        TransformersClassifier.model_validate({**CONFIG, "launch": {"processes": 5}})
