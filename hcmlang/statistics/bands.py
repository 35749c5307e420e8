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
    the seeds is that of the rows; the rest of it is theirs. Student's quantile, degrees of freedom after Satterthwaite (1946).
    """
    from scipy.special import expit, logit
    from scipy.stats import t

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
    half = t.ppf((1 + _CONFIDENCE) / 2, np.minimum(free, 1e6)) * np.sqrt(total)
    mean = risks.mean(axis=0)
    # On the scale of log-odds, where the spread of small shares is less lopsided.
    inside = mean.clip(1e-12, 1 - 1e-12)
    apart = half / (inside * (1 - inside))
    return Band(mean, expit(logit(inside) - apart), expit(logit(inside) + apart))


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
