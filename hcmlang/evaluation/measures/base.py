"""What every measure is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from hcmlang.evaluation.predictions import Predictions

#: A number, None where it is undefined, or a number at each of several thresholds.
Value: TypeAlias = float | Mapping[str, float] | None


class Measure(ABC):
    """A measure of an arm's predictions on a set of rows. The name under which it is registered is its key in metrics.json."""

    title: ClassVar[str]
    """The heading of its column."""
    explanation: ClassVar[str]
    """What it measures, as a phrase for documentation and tooltips."""
    better: ClassVar[Literal["lower", "higher", ""]] = ""
    """Which values are better; empty where neither is."""
    digits: ClassVar[int] = 3
    """Digits after the decimal point."""

    table: ClassVar[Literal["arms", "confidence"] | None] = "arms"
    """Where the report shows it: in the table of the arms (also in the terminal, in documents and in trackers), in the
    table about confidence, or nowhere."""
    order: ClassVar[int] = 100
    """Its place among the columns, the smallest first."""
    short: ClassVar[str] = ""
    """Its heading in narrow tables (LaTeX and `hcmlang compare`); without one it is no column of them."""
    every_threshold: ClassVar[bool] = False
    """Whether a measure with a value at each threshold has a column for each, instead of one for `detect.confidence`."""

    of_confidence: ClassVar[bool] = False
    """Whether it changes when only confidence does, so that it is measured once more after temperature scaling."""
    by_group: ClassVar[bool] = False
    """Whether it is measured in each group of rows, too."""
    interval: ClassVar[Literal["share", "count", "matched"] | None] = None
    """What its differences between arms have an interval and a p-value for: the share of the `counted` rows, their number,
    or their number among as many of the most confident rows as the baseline has at `detect.confidence`."""

    @abstractmethod
    def of(self, arm: Predictions, baseline: Predictions, tau: float, thresholds: Sequence[float]) -> Value:
        """The value for an arm. `baseline` are the predictions of the arm `none` with the same seed on the same rows, `tau`
        is `detect.confidence`, and `thresholds` are all confidences at which mistakes are counted, tau among them."""

    def counted(self, arm: Predictions, tau: float) -> np.ndarray:
        """The rows that a measure with an `interval` counts, bool, shape (rows,)."""
        raise NotImplementedError

    def shown(self, value: float | None) -> str:
        """A value as text; empty where there is none."""
        return "" if value is None else f"{value:.{self.digits}f}"


def at(value: Value, tau: float) -> float | None:
    """The value at tau of a measure that has one at each threshold; any other value as it is."""
    return value[str(tau)] if isinstance(value, Mapping) else value
