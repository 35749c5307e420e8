"""How sure the differences between arms are: a paired bootstrap over test rows and seeds.

Each resample draws the rows with replacement, the same ones for every arm and seed, and then the seeds (a hierarchical
bootstrap: Davison and Hinkley 1997, section 3.8). With one seed there is no telling how much the seed matters, and no
interval is given. Few seeds make the intervals somewhat too narrow: a seed that was not tried cannot be drawn.

HCMs at matched coverage are exact in every resample: the coverage is the baseline's coverage of that resample, and the
arm's rows are ranked once, so that a resample is a weighting of ranked rows and its count a look-up in running sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hcmlang.loop.measures import Outcome, at_least
from hcmlang.progress import Advance, nothing_to_show

LEVEL = 0.95
#: Row weights that are worked on at once: few enough to stay in a processor's cache.
_WEIGHTS = 400_000


@dataclass(frozen=True)
class Interval:
    """A 95% percentile interval of arm minus baseline, and of that difference as a share of the baseline; `relative` is
    None where the baseline may be zero, or where a share says nothing."""

    low: float
    high: float
    relative: tuple[float, float] | None = None


def intervals(
    arms: Mapping[str, Sequence[Outcome]],
    baseline: Sequence[Outcome],
    tau: float,
    resamples: int,
    seed: int,
    advance: Advance = nothing_to_show,
) -> dict[str, dict[str, Interval]] | None:
    """Intervals of `accuracy`, `hcms` (at tau) and `hcms_at_matched_coverage`, averaged over seeds, for each arm.

    One outcome for each seed, in the same order for all; None with fewer than two seeds, or no arm. `advance` is called
    with the number of resamples just done.
    """
    seeds, rows = len(baseline), len(baseline[0])
    if seeds < 2 or not arms:
        return None
    random = np.random.default_rng(seed)
    reference = [_Weighed(outcome, tau) for outcome in baseline]
    ranked = {arm: [_Ranked(outcome, tau) for outcome in outcomes] for arm, outcomes in arms.items()}
    found: dict[str, list[_Values]] = {arm: [] for arm in arms}
    size = max(1, min(resamples, _WEIGHTS // rows))
    for begin in range(0, resamples, size):
        count = min(size, resamples - begin)
        weights = _weights(random, rows, count)
        of_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count).T / seeds
        before = [one.measures(weights) for one in reference]
        for arm, outcomes in ranked.items():
            after = [one.measures(weights, kept=b["kept"]) for one, b in zip(outcomes, before, strict=True)]
            found[arm].append(_averaged(before, after, of_seeds))
        advance(count)
    return {arm: _summarized(chunks) for arm, chunks in found.items()}


#: Baseline and arm in every resample, by measure.
_Values = dict[str, tuple[np.ndarray, np.ndarray]]


def _weights(random: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """How often each row is drawn, float32, shape (rows, resamples): sums of them are exact up to 16 million rows."""
    cells = random.integers(0, rows, size=(rows, count)) * count + np.arange(count)
    drawn = np.bincount(cells.ravel(), minlength=rows * count)
    return drawn.reshape(rows, count).astype(np.float32)


class _Weighed:
    """An outcome whose rows are counted with weights: the baseline's, whose HCMs at matched coverage are those at tau."""

    def __init__(self, outcome: Outcome, tau: float) -> None:
        confident = at_least(outcome.confidence, tau)
        self._counted = np.stack([~outcome.wrong, outcome.wrong & confident, confident]).astype(np.float32)

    def measures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure in each resample; `kept` is the number of confident predictions."""
        right, hcms, kept = self._counted @ weights
        return {"accuracy": right / len(weights), "hcms": hcms, "hcms_at_matched_coverage": hcms, "kept": kept}


class _Ranked:
    """An outcome whose rows are counted with weights and ranked by confidence."""

    def __init__(self, outcome: Outcome, tau: float) -> None:
        self._plain = _Weighed(outcome, tau)
        self._order = np.argsort(-outcome.confidence, kind="stable")
        starts = np.diff(outcome.confidence[self._order], prepend=2.0) != 0
        first = np.flatnonzero(starts)
        #: Of each ranked row: the first row of its block of equal confidence, and the first row after it.
        self._begin = first[np.cumsum(starts) - 1]
        self._end = np.append(first[1:], len(self._order))[np.cumsum(starts) - 1]
        wrong = outcome.wrong[self._order]
        self._wrong_rows = np.flatnonzero(wrong)
        self._wrong_before = np.concatenate([[0], np.cumsum(wrong)])

    def measures(self, weights: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure in each resample, `kept` rows being kept for matched coverage."""
        return self._plain.measures(weights) | {"hcms_at_matched_coverage": self._mistakes_kept(weights, kept)}

    def _mistakes_kept(self, weights: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """:func:`hcmlang.loop.measures.mistakes_kept` of `kept` rows in each resample."""
        ranked = weights[self._order]
        rows = _running(ranked)
        mistakes = _running(ranked[self._wrong_rows])
        each = np.arange(len(kept))
        last = np.minimum(_first_reaching(rows, kept), len(ranked)) - 1
        begin, end = self._begin[last], self._end[last]
        rows_before, rows_after = rows[begin, each], rows[end, each]
        mistakes_before = mistakes[self._wrong_before[begin], each]
        mistakes_after = mistakes[self._wrong_before[end], each]
        size = rows_after - rows_before
        share = np.divide(kept - rows_before, size, out=np.zeros_like(size), where=size > 0)
        return np.where(kept > 0, mistakes_before + share * (mistakes_after - mistakes_before), 0.0)


def _running(values: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, 2, ... rows, for each column."""
    sums = np.zeros((len(values) + 1, values.shape[1]), dtype=values.dtype)
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _first_reaching(sums: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The first row (from 1) of each column of running sums that is at least as large as wanted, by bisection."""
    each = np.arange(len(wanted))
    low, high = np.ones(len(wanted), dtype=np.int64), np.full(len(wanted), len(sums) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        enough = sums[middle, each] >= wanted
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle + 1, high))
    return high


def _averaged(
    before: Sequence[Mapping[str, np.ndarray]], after: Sequence[Mapping[str, np.ndarray]], of_seeds: np.ndarray
) -> _Values:
    def average(measured: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
        values: np.ndarray = (np.stack([one[name] for one in measured]).astype(np.float64) * of_seeds).sum(axis=0)
        return values

    names = ("accuracy", "hcms", "hcms_at_matched_coverage")
    return {name: (average(before, name), average(after, name)) for name in names}


def _summarized(chunks: Sequence[_Values]) -> dict[str, Interval]:
    found = {}
    for name in chunks[0]:
        before, after = (np.concatenate([chunk[name][side] for chunk in chunks]) for side in (0, 1))
        shares = name != "accuracy" and bool((before > 0).all())
        relative = _percentiles((after - before) / before) if shares else None
        found[name] = Interval(*_percentiles(after - before), relative)
    return found


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
