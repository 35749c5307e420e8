"""How strongly a feature is associated with one set of rows: effect, significance, and what remains given other features."""

from __future__ import annotations

import numpy as np


def log_odds_ratio(
    a: np.ndarray, of_a: int, b: np.ndarray, of_b: int, prior: np.ndarray, of_prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds ratio of having a feature, with an informative Dirichlet prior, and its z-score (Monroe, Colaresi and Quinn
    2008, "Fightin' Words", equations 15, 19 and 22).

    `a` of `of_a` rows in the first set have it, `b` of `of_b` in the second, and `prior` of `of_prior` pseudo-rows (0 < prior
    < of_prior). A row has a feature or not, so the complement is counted exactly and enters the variance (Monroe et al. omit
    it because a word is rare among all words; a feature may be common among rows).
    """
    has_a, not_a = a + prior, of_a - a + of_prior - prior
    has_b, not_b = b + prior, of_b - b + of_prior - prior
    log_odds = np.log(has_a / not_a) - np.log(has_b / not_b)
    return log_odds, log_odds / np.sqrt(1 / has_a + 1 / not_a + 1 / has_b + 1 / not_b)


def exact_p(a: np.ndarray, of_a: int, b: np.ndarray, of_b: int) -> np.ndarray:
    """Probability that at least `a` of the `a + b` rows with a feature are among the `of_a` by chance (Fisher's exact test,
    one-sided).

    The normal tail of the z-score is far too generous for a few HCMs among thousands of other rows.
    """
    from scipy.stats import hypergeom

    return np.asarray(hypergeom.sf(a - 1, of_a + of_b, a + b, of_a))


def adjusted_p(p: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """The p-values adjusted to control the false discovery rate, with weights (Benjamini and Hochberg 1995; Genovese, Roeder
    and Wasserman 2006).

    The few features marked in `planned`, which are chosen before seeing any data, share one half of the weight; the thousands
    of n-grams share the other.
    """
    from scipy.stats import false_discovery_control

    if not len(p):
        return p
    weights = np.ones(len(p))
    if planned.any() and not planned.all():
        weights[planned] = len(p) / 2 / planned.sum()
        weights[~planned] = len(p) / 2 / (~planned).sum()
    return np.asarray(false_discovery_control(np.minimum(1.0, p / weights)))


class Strata:
    """Rows in strata of similar rows: `number` is each row's stratum from 0, `first` (bool) marks the rows of the first set,
    both of shape (rows,)."""

    def __init__(self, number: np.ndarray, first: np.ndarray) -> None:
        self._number = number
        self._first = first
        self._rows, self._firsts = np.bincount(number), np.bincount(number, first)

    def z(self, having: np.ndarray) -> float:
        """z-score of a feature's over-representation in the first set within strata (Mantel and Haenszel 1959, with
        continuity correction); 0 where no stratum is informative. `having` has the indices of the rows with the feature: only
        their strata matter."""
        strata, place, with_it = np.unique(self._number[having], return_inverse=True, return_counts=True)
        rows, first, observed = self._rows[strata], self._firsts[strata], np.bincount(place, self._first[having])
        informative = rows > 1
        rows, first, with_it = rows[informative], first[informative], with_it[informative]
        expected = (first * with_it / rows).sum()
        variance = (first * (rows - first) * with_it * (rows - with_it) / (rows**2.0 * (rows - 1))).sum()
        if variance <= 0:
            return 0.0
        return float((observed[informative].sum() - expected - 0.5) / np.sqrt(variance))
