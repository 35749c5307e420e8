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

    Among the most confident share c of n rows, a row changes the risk by (w - p) / nc if it is among them, w being whether it
    is a mistake and p the share of mistakes at the threshold, which moves with the rows (the influence function of the mean
    above a quantile). The covariance of these between seeds tells the variance of the mean, and how much of the spread of
    the seeds is that of the rows; the rest of it is theirs. Degrees of freedom after Satterthwaite (1946). As the risk may be
    next to nothing, the interval is that of Clopper and Pearson (1934) for as many independent rows as would have this variance
    (Korn and Graubard 1998); as many as are kept where there is no mistake among them.
    """
    from scipy.stats import beta, t

    rows, seeds = len(outcomes[0]), len(outcomes)
    counts = coverages * rows
    found = [_risk(outcome, counts) for outcome in outcomes]
    risks, local = np.array([risk for risk, _ in found]), np.array([around for _, around in found])
    ranks = np.array([_ranks(outcome) for outcome in outcomes])
    wrong = np.array([outcome.wrong for outcome in outcomes], dtype=np.float64)
    of_rows, of_seeds = np.empty(len(coverages)), np.empty(len(coverages))
    spread = risks.var(axis=0, ddof=1)
    for number, count in enumerate(counts):
        influence = (wrong - local[:, number, None]) * (ranks < count)
        shared = np.cov(influence, bias=True) * rows / count**2
        of_rows[number] = shared.mean()
        apart = (np.trace(shared) / seeds - shared.mean()) * seeds / (seeds - 1)
        of_seeds[number] = max(0.0, spread[number] - apart) / seeds
    total = of_rows + of_seeds
    free = np.full(len(coverages), np.inf)
    np.divide(total**2 * (seeds - 1), (spread / seeds) ** 2, out=free, where=spread > 0)
    mean = risks.mean(axis=0)
    wider = (t.ppf((1 + _CONFIDENCE) / 2, np.inf) / t.ppf((1 + _CONFIDENCE) / 2, np.minimum(free, 1e6))) ** 2
    alike = np.full(len(coverages), np.inf)
    np.divide(mean * (1 - mean), total, out=alike, where=total > 0)
    alike = np.where(mean * (1 - mean) > 0, np.minimum(alike, counts * seeds), counts) * wider
    mistakes, tail = mean * alike, (1 - _CONFIDENCE) / 2
    low = np.where(mistakes > 0, beta.ppf(tail, np.maximum(mistakes, 1e-12), alike - mistakes + 1), 0.0)
    high = np.where(mistakes < alike, beta.ppf(1 - tail, mistakes + 1, np.maximum(alike - mistakes, 1e-12)), 1.0)
    return Band(mean, low, high)


def _ranks(outcome: Outcome) -> np.ndarray:
    """The place of each row, from 0, the most confident first."""
    ranks = np.empty(len(outcome), dtype=np.int64)
    ranks[np.argsort(-outcome.confidence, kind="stable")] = np.arange(len(outcome))
    return ranks


def _risk(outcome: Outcome, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of mistakes among so many of the most confident rows, and around the last of them."""
    around = max(1.0, _AROUND * len(outcome))
    low, high = np.maximum(counts - around, 0), np.minimum(counts + around, len(outcome))
    risk = mistakes_kept(outcome, counts) / counts
    local = (mistakes_kept(outcome, high) - mistakes_kept(outcome, low)) / (high - low)
    return risk, local
