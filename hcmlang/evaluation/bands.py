"""Pointwise confidence bands for risk-coverage curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hcmlang.evaluation.predictions import Predictions, mistakes_kept

#: The share of mistakes around a threshold is taken over this share of all rows on either side.
_AROUND = 0.03
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Band:
    """Mean risk over seeds at each coverage, and the ends of its pointwise 95% interval."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def risk_band(seeds: Sequence[Predictions], coverages: np.ndarray) -> Band:
    """The risk-coverage curve of an arm, mean over at least two seeds on the same rows, with a band that shows how much other
    test rows and other seeds would change it.

    Among the most confident share c of n rows, a row changes the risk by (w - p) / nc if it is among them, where w is whether
    it is a mistake and p the share of mistakes at the threshold, which moves with the rows (the influence function of the mean
    above a quantile). The covariance of these between seeds gives the variance of the mean, and how much of the spread of
    the seeds comes from the rows; the rest is the seeds' own. Degrees of freedom after Satterthwaite (1946). Because the risk
    may be close to zero, the interval is that of Clopper and Pearson (1934) for as many independent rows as would have this
    variance (Korn and Graubard 1998), or for the rows kept where there is no mistake among them.
    """
    from scipy.stats import beta, t

    rows, number = len(seeds[0]), len(seeds)
    counts = coverages * rows
    risks, local = (np.array(values) for values in zip(*(_risk(one, counts) for one in seeds), strict=True))
    ranks = np.array([_ranks(one) for one in seeds])
    wrong = np.array([one.wrong for one in seeds], dtype=np.float64)
    of_rows, of_seeds = np.empty(len(coverages)), np.empty(len(coverages))
    spread = risks.var(axis=0, ddof=1)
    for place, count in enumerate(counts):
        influence = (wrong - local[:, place, None]) * (ranks < count)
        shared = np.cov(influence, bias=True) * rows / count**2
        of_rows[place] = shared.mean()
        apart = (np.trace(shared) / number - shared.mean()) * number / (number - 1)
        of_seeds[place] = max(0.0, spread[place] - apart) / number
    total = of_rows + of_seeds
    free = np.full(len(coverages), np.inf)
    np.divide(total**2 * (number - 1), (spread / number) ** 2, out=free, where=spread > 0)
    mean = risks.mean(axis=0)
    wider = (t.ppf((1 + _CONFIDENCE) / 2, np.inf) / t.ppf((1 + _CONFIDENCE) / 2, np.minimum(free, 1e6))) ** 2
    alike = np.full(len(coverages), np.inf)
    np.divide(mean * (1 - mean), total, out=alike, where=total > 0)
    alike = np.where(mean * (1 - mean) > 0, np.minimum(alike, counts * number), counts) * wider
    mistakes, tail = mean * alike, (1 - _CONFIDENCE) / 2
    low = np.where(mistakes > 0, beta.ppf(tail, np.maximum(mistakes, 1e-12), alike - mistakes + 1), 0.0)
    high = np.where(mistakes < alike, beta.ppf(1 - tail, mistakes + 1, np.maximum(alike - mistakes, 1e-12)), 1.0)
    return Band(mean, low, high)


def _ranks(predictions: Predictions) -> np.ndarray:
    """The rank of each row, from 0, the most confident first."""
    ranks = np.empty(len(predictions), dtype=np.int64)
    ranks[np.argsort(-predictions.confidence, kind="stable")] = np.arange(len(predictions))
    return ranks


def _risk(predictions: Predictions, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each count, the share of mistakes among that many of the most confident rows, and around the last of them."""
    around = max(1.0, _AROUND * len(predictions))
    low, high = np.maximum(counts - around, 0), np.minimum(counts + around, len(predictions))
    risk = mistakes_kept(predictions, counts) / counts
    local = (mistakes_kept(predictions, high) - mistakes_kept(predictions, low)) / (high - low)
    return risk, local
