"""`backend: openvino`: the converted classifier agrees with the original, or is not used."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hcmlang import classifiers
from hcmlang.classifiers import openvino
from hcmlang.classifiers.transformers import TransformersClassifier
from hcmlang.diagnostics import DiagnosticError
from hcmlang.progress import Silent
from tests.classifiers.conftest import pairs, reviews

needed = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


def config(**values: Any) -> TransformersClassifier:
    given = {"kind": "transformers", "model": "tiny", "device": "cpu", "epochs": 5, "learning_rate": 2e-3, **values}
    return TransformersClassifier.model_validate(given)


@needed
@pytest.mark.parametrize("rows", [reviews, pairs])
def test_it_says_what_the_original_says(rows: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = classifiers.fit(config(), rows(120), seed=0)
    model.save(tmp_path)
    test = rows(300, seed=1)
    expected = model.predict_proba(test)
    capfd.readouterr()
    fast = classifiers.load(config(backend="openvino"), tmp_path, test.labels)
    assert np.abs(fast.predict_proba(test) - expected).max() < openvino.TOLERANCE
    assert fast.predict_proba(test.take([])).shape == (0, 2)
    assert np.array_equal(fast.embed(test), model.embed(test))
    assert capfd.readouterr() == ("", "")


class Branching(torch.nn.Module):
    """A model that does for long texts what tracing it on a short one does not see."""

    def forward(self, input_ids: torch.Tensor) -> Any:
        ones = input_ids.sum(1).float()
        return SimpleNamespace(logits=torch.stack([ones, ones + (0.5 if len(input_ids[0]) > 4 else 0)], dim=1))


@needed
def test_a_conversion_that_differs_is_refused() -> None:
    sample = [{"input_ids": torch.ones((2, length), dtype=torch.int64)} for length in (3, 6)]
    with pytest.raises(DiagnosticError, match=r"probabilities that differ by up to 0\.122 \[conversion-differs\]"):
        openvino.converted(Branching(), sample)


@needed
@pytest.mark.parametrize("has_units", [True, False])
def test_a_cpu_without_matrix_units_is_told(has_units: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Heard(Silent):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def note(self, message: str) -> None:
            self.notes.append(message)

    model = classifiers.fit(config(epochs=1), reviews(40), seed=0)
    model.save(tmp_path)
    fast = classifiers.load(config(backend="openvino"), tmp_path, ("negative", "positive"))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_units}, raising=False)
    differ = np.abs(fast.predict_proba(reviews(50), heard := Heard()) - model.predict_proba(reviews(50))).max()
    assert differ < openvino.TOLERANCE
    assert (differ < 1e-5) is not has_units
    told = ["  this CPU has no matrix units for bfloat16: OpenVINO predicts in float32"]
    assert heard.notes == ([] if has_units else told)


@needed
def test_a_model_that_cannot_be_converted_is_told() -> None:
    class Broken(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> Any:
            raise RuntimeError("no such thing")

    with pytest.raises(DiagnosticError, match=r"cannot convert the classifier: .*\[not-converted\]"):
        openvino.converted(Broken(), [{"input_ids": torch.ones((1, 2), dtype=torch.int64)}])


def test_without_the_package_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DiagnosticError, match=r"needs the package openvino \[missing-package\]"):
        openvino.converted(torch.nn.Linear(2, 2), [{"input_ids": torch.ones((1, 2), dtype=torch.int64)}])
