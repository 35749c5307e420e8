"""The measures of an arm's predictions, hcmlang's own and those that other packages register as `hcmlang.measures`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from hcmlang.evaluation.measures.base import Measure, Value, at
from hcmlang.evaluation.predictions import Predictions
from hcmlang.kinds import Registry

__all__ = ["MEASURES", "Measure", "Value", "at", "mean_of", "measure", "measures"]

_HERE = "hcmlang.evaluation.measures"
#: In the order of their keys in metrics.json.
MEASURES: Registry[Measure] = Registry(
    "hcmlang.measures",
    {
        "accuracy": f"{_HERE}.accuracy:Accuracy",
        "macro_f1": f"{_HERE}.accuracy:MacroF1",
        "hcms": f"{_HERE}.mistakes:Hcms",
        "coverage": f"{_HERE}.mistakes:Coverage",
        "calibration_error": f"{_HERE}.calibration:CalibrationError",
        "adaptive_calibration_error": f"{_HERE}.calibration:AdaptiveCalibrationError",
        "brier": f"{_HERE}.calibration:Brier",
        "hcms_at_matched_coverage": f"{_HERE}.mistakes:HcmsAtMatchedCoverage",
        "mistakes_at_coverage": f"{_HERE}.mistakes:MistakesAtCoverage",
        "area_under_risk_coverage": f"{_HERE}.ranking:AreaUnderRiskCoverage",
        "auroc": f"{_HERE}.ranking:Auroc",
    },
)


def measures(among: Collection[str] | None = None) -> dict[str, Measure]:
    """All measures by name, or those whose name is `among` these."""
    return {name: kind() for name, kind in MEASURES.items() if among is None or name in among}


def measure(
    arm: Predictions,
    baseline: Predictions,
    tau: float,
    thresholds: Sequence[float],
    chosen: Mapping[str, Measure] | None = None,
) -> dict[str, Any]:
    """The values of an arm on one set of rows by the names of the measures (all, or those `chosen`), as JSON-able data.
    `baseline` are the predictions of the arm `none`."""
    chosen = measures() if chosen is None else chosen
    return {name: kind.of(arm, baseline, tau, thresholds) for name, kind in chosen.items()}


def mean_of(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of mappings key by key; None where a value is None."""
    if isinstance(values[0], dict):
        return {key: mean_of([value[key] for value in values]) for key in values[0]}
    if any(value is None for value in values):
        return None
    return float(np.mean(values))
