"""Saved logistic regressions: a safetensors file with the learned arrays, and a JSON file with names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hcmlang.classifiers.base import LOAD_HINT
from hcmlang.diagnostics import Diagnostic, DiagnosticError

T = TypeVar("T")


def write(folder: Path, stem: str, names: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write `STEM.json` and `STEM.safetensors`: classes as int64, everything else as float64."""
    from safetensors.numpy import save_file

    (folder / f"{stem}.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    typed = {
        name: np.ascontiguousarray(array, dtype=np.int64 if name == "classes" else np.float64)
        for name, array in arrays.items()
    }
    save_file(typed, folder / f"{stem}.safetensors")


def read(folder: Path, stem: str, build: Callable[[dict[str, Any], dict[str, np.ndarray]], T]) -> T:
    """Read the names and arrays that :func:`write` wrote and pass them to `build`. Raises :class:`DiagnosticError` for
    damaged files."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        names = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
        return build(names, load_file(folder / f"{stem}.safetensors"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = f"cannot load the model {folder}: {reason}"
        raise DiagnosticError(Diagnostic("model-not-loaded", message, hint=LOAD_HINT)) from error


def learned(model: Any) -> dict[str, np.ndarray]:
    """The arrays of a fitted scikit-learn model."""
    return {"coef": model.coef_, "intercept": model.intercept_, "classes": model.classes_}


def restored(arrays: Mapping[str, np.ndarray]) -> Any:
    """The scikit-learn model with these arrays."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = arrays["classes"], arrays["coef"], arrays["intercept"]
    return model


def probabilities(model: Any, features: Any, labels: int) -> np.ndarray:
    """Float32, shape (rows, labels); 0 for labels that the model was not trained on."""
    scores = np.zeros((features.shape[0], labels), dtype=np.float32)
    if len(scores):
        scores[:, model.classes_] = model.predict_proba(features)
    return scores
