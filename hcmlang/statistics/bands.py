"""How sure a risk-coverage curve is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hcmlang.statistics.measures import Outcome, mistakes_kept

#: Half the width, as a share of all rows, over which the share of mistakes around a threshold is taken.
_AROUND = 0.03
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Band:
    """Mean risk over seeds at each coverage, and the ends of its pointwise 95% interval."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def risk_band(outcomes: Sequence[Outcome], coverages: np.ndarray) -> Band:
    """The risk-coverage curve of an arm, mean over seeds (one outcome each, on the same rows; at least two), with what other
    test rows and other seeds would change.

    Rows: the risk R among the most confident share c of n rows has the variance (R(1-p)^2 + (1-R)p^2 - c(R-p)^2) / (nc), p
    being the share of mistakes at the threshold, which moves with the rows, too (the delta method on the quantile). Seeds
    share the rows, so that more of them make this part no smaller. Seeds: the variance between them, over their number. Both
    together with Student's quantile, degrees of freedom after Satterthwaite (1946).
    """
    from scipy.stats import t

    rows = len(outcomes[0])
    found = [_risk(outcome, coverages * rows) for outcome in outcomes]
    risks = np.array([risk for risk, _ in found])
    within = np.mean(
        [(r * (1 - p) ** 2 + (1 - r) * p**2 - coverages * (r - p) ** 2) / (coverages * rows) for r, p in found],
        axis=0,
    ).clip(0)
    between = risks.var(axis=0, ddof=1) / len(outcomes)
    total = within + between
    free = np.full(len(coverages), np.inf)
    np.divide(total**2 * (len(outcomes) - 1), between**2, out=free, where=between > 0)
    half = t.ppf((1 + _CONFIDENCE) / 2, np.minimum(free, 1e6)) * np.sqrt(total)
    mean = risks.mean(axis=0)
    return Band(mean, (mean - half).clip(0, 1), (mean + half).clip(0, 1))


def _risk(outcome: Outcome, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of mistakes among so many of the most confident rows, and around the last of them."""
    around = max(1.0, _AROUND * len(outcome))
    low, high = np.maximum(counts - around, 0), np.minimum(counts + around, len(outcome))
    risk = mistakes_kept(outcome, counts) / counts
    local = (mistakes_kept(outcome, high) - mistakes_kept(outcome, low)) / (high - low)
    return risk, local
