"""Predictions and intervals for the tests in this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hcmlang.evaluation.intervals import Interval, resampled
from hcmlang.evaluation.measures import measures
from hcmlang.evaluation.predictions import Predictions

TESTED = {name: kind for name, kind in measures().items() if kind.interval}


def predictions(confidence: np.ndarray, wrong: np.ndarray) -> Predictions:
    """Predictions with this confidence (any number), some of them wrong: class 0 is always predicted."""
    return Predictions(np.asarray(confidence, dtype=np.float64)[:, None], np.asarray(wrong).astype(np.int64))


def value(name: str, arm: Predictions, baseline: Predictions | None = None) -> Any:
    """A measure of an arm at the threshold 0.9."""
    return measures([name])[name].of(arm, baseline or arm, 0.9, (0.8, 0.9))


def intervals(
    arms: Mapping[str, Sequence[Predictions]], baseline: Sequence[Predictions], *rest: Any, **named: Any
) -> dict[str, dict[str, Interval]] | None:
    """The intervals of each arm minus baseline, by measure; the rest is as for
    :func:`hcmlang.evaluation.intervals.resampled`."""
    drawn = resampled(TESTED, arms, baseline, *rest, **named)
    return {arm: drawn.against_baseline(arm) for arm in arms} if drawn is not None else None
