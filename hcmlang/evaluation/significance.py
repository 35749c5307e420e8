"""Tests of differences, and the smallest effect that a test can detect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05
#: The chance to detect an existing effect, for :func:`detectable`.
POWER = 0.8


@dataclass(frozen=True)
class McNemar:
    """Rows on which an event happened before and no longer (`fixed`), or not before but now (`broken`), and the p-value."""

    fixed: int
    broken: int
    p: float


def mcnemar(before: np.ndarray, after: np.ndarray) -> McNemar:
    """The exact two-sided McNemar test (McNemar 1947) of whether an event became rarer or more frequent on the same rows.

    `before` and `after` are whether it happened, bool, shape (rows,).
    """
    from scipy.stats import binomtest

    fixed, broken = int((before & ~after).sum()), int((after & ~before).sum())
    p = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    return McNemar(fixed, broken, p)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for multiple comparisons (Holm 1979): those below a level are significant, and the chance that any of
    them is so by accident is at most that level."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted: dict[str, float] = {}
    largest = 0.0
    for number, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - number) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def detectable(error: float) -> float:
    """The smallest effect that a two-sided test at the 5% level detects in four of five experiments like this one, in the unit
    of `error`, the standard error of its estimate (normal approximation: Cohen 1988, chapter 2)."""
    from scipy.stats import norm

    return float((norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) * error)
