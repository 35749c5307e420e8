"""Intervals for the differences between arms: a paired bootstrap over test rows, plus the spread over seeds.

Every resample draws the rows with replacement, the same ones for every arm and seed. It shows how much a difference, averaged
over the seeds of the run, depends on the rows. How much it depends on the seeds is estimated from the differences of the single
seeds, less what rows and seeds have in common, which the resamples show as well (the two-way layout of Owen 2007). Both add up
to the standard error. Because the second part rests on few seeds, the quantiles are Student's, with the degrees of freedom of
Satterthwaite (1946). Drawing seeds in the same way as rows gives intervals that are far too narrow for few seeds: with 3 seeds
that matter, 95% intervals held the truth in 80% of simulations (tests/evaluation/test_truth.py simulates this method). With one
seed, nothing shows how much the seed matters, and there is no interval.

HCMs at matched coverage are exact in every resample. The coverage is the baseline's in that resample. The arm's rows are ranked
once, so that a resample is a weighting of ranked rows, and counting is a product of matrices; only rows near the end of what is
kept, where resamples disagree, are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hcmlang.evaluation.measures import Measure
from hcmlang.evaluation.predictions import Predictions, at_least
from hcmlang.progress import Advance, nothing_to_show

LEVEL = 0.95
#: Row weights that are held in memory at once.
_WEIGHTS = 4_000_000
#: Ranks to look at one by one around the number of rows kept, in standard deviations of that number.
_REACH = 8
#: How many rows may differ although all observed ones agree (Clopper and Pearson 1934), and what counts as no difference.
_ROOM, _SAME = 3.7, 1e-9

#: Baseline and arm by measure, each of shape (seeds, resamples).
_Values = dict[str, tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Interval:
    """A 95% interval of an arm minus another, and of that difference as a share of the other (`relative`: None where that
    may be zero, or for a measure that is a share itself), with its two-sided p-value and standard error."""

    low: float
    high: float
    relative: tuple[float, float] | None
    p: float
    error: float


@dataclass(frozen=True)
class Resampled:
    """The values of arms and baseline in the same resamples."""

    _chunks: Mapping[str, Sequence[_Values]]
    _measures: Mapping[str, Measure]
    _rows: int

    def against_baseline(self, arm: str) -> dict[str, Interval]:
        """The intervals of an arm minus the baseline, by measure."""
        return self._intervals(self._chunks[arm])

    def between(self, arm: str, other: str) -> dict[str, Interval]:
        """The intervals of one arm minus another; both keep as many predictions as the baseline."""
        pairs = zip(self._chunks[arm], self._chunks[other], strict=True)
        return self._intervals([{n: (theirs[n][1], own[n][1]) for n in self._measures} for own, theirs in pairs])

    def _intervals(self, chunks: Sequence[_Values]) -> dict[str, Interval]:
        """The first resample is the rows as they are."""
        intervals = {}
        for name, measure in self._measures.items():
            before, after = (np.concatenate([c[name][i] for c in chunks], axis=1, dtype=np.float64) for i in (0, 1))
            difference = after - before
            is_share = measure.interval == "share"
            low, high, p, error = _interval(difference.mean(axis=0), difference, 1 / self._rows if is_share else 1.0)
            relative = None
            if not is_share and (before.mean(axis=0) > 0).all():
                base, arm = before.mean(axis=0), after.mean(axis=0)
                # What a seed adds to the share, to the first order.
                of_seeds = (after - arm / base * before) / base
                share_low, share_high, *_ = _interval(arm / base - 1, of_seeds, 1 / float(base[0]))
                relative = (max(-1.0, share_low), share_high)
            intervals[name] = Interval(low, high, relative, p, error)
        return intervals


def resampled(
    measures: Mapping[str, Measure],
    arms: Mapping[str, Sequence[Predictions]],
    baseline: Sequence[Predictions],
    tau: float,
    resamples: int,
    seed: int,
    advance: Advance = nothing_to_show,
) -> Resampled | None:
    """The values of every arm in the same resamples of the rows, drawn by `seed`; None with fewer than two seeds, or no arm.

    `measures` are those with an interval. Every arm has one set of predictions for each seed, in the same order. `advance` is
    called with the number of resamples just done.
    """
    seeds, rows = len(baseline), len(baseline[0])
    if seeds < 2 or not arms:
        return None
    random = np.random.default_rng(seed)
    sums = _Sums()
    before = [_Baseline(measures, predictions, tau, sums) for predictions in baseline]
    after = {
        arm: [_Arm(measures, own, none, tau, sums) for own, none in zip(predictions, baseline, strict=True)]
        for arm, predictions in arms.items()
    }
    chunks: dict[str, list[_Values]] = {arm: [] for arm in arms}

    def count(weights: np.ndarray) -> None:
        summed = sums.of(weights)
        reference = [one.values(summed, rows) for one in before]
        kept = [one.kept(summed) for one in before]
        for arm, seeds_of_arm in after.items():
            values = [one.values(weights, summed, number) for one, number in zip(seeds_of_arm, kept, strict=True)]
            chunks[arm].append(
                {n: tuple(np.stack([v[n] for v in side]) for side in (reference, values)) for n in measures}
            )

    count(np.ones((1, rows), dtype=np.float32))
    size = max(1, min(resamples, _WEIGHTS // rows))
    for begin in range(0, resamples, size):
        number = min(size, resamples - begin)
        count(_weights(random, rows, number))
        advance(number)
    return Resampled(chunks, measures, rows)


def _weights(random: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """How often each row is drawn, float32, shape (resamples, rows): sums of them are exact up to 16 million rows."""
    weights = np.empty((count, rows), dtype=np.float32)
    for resample in weights:
        resample[:] = np.bincount(random.integers(0, rows, size=rows, dtype=np.uint32), minlength=rows)
    return weights


class _Sums:
    """Sets of rows whose weights are summed, all in one product of matrices."""

    def __init__(self) -> None:
        self._sets: list[np.ndarray] = []
        self._matrix: np.ndarray | None = None

    def add(self, rows: np.ndarray) -> int:
        """The number of a set, given as a mask."""
        self._sets.append(rows)
        return len(self._sets) - 1

    def of(self, weights: np.ndarray) -> np.ndarray:
        """The sum of each set in each resample, shape (sets, resamples)."""
        if self._matrix is None:
            self._matrix = np.stack(self._sets).astype(np.float32)
        return np.asarray(self._matrix @ weights.T)


class _Baseline:
    """Predictions whose matched rows are the confident ones."""

    def __init__(self, measures: Mapping[str, Measure], predictions: Predictions, tau: float, sums: _Sums) -> None:
        confident = at_least(predictions.confidence, tau)
        self._kept = sums.add(confident)
        self._measures = measures
        self._sets = {}
        for name, measure in measures.items():
            counted = measure.counted(predictions, tau)
            self._sets[name] = sums.add(counted & confident if measure.interval == "matched" else counted)

    def kept(self, summed: np.ndarray) -> np.ndarray:
        """The number of confident predictions in each resample."""
        return np.asarray(summed[self._kept])

    def values(self, summed: np.ndarray, rows: int) -> dict[str, np.ndarray]:
        """Each measure in each resample."""
        shares = {name for name, measure in self._measures.items() if measure.interval == "share"}
        return {name: summed[place] / (rows if name in shares else 1) for name, place in self._sets.items()}


class _Arm:
    """Predictions whose matched rows are as many of the most confident ones as the baseline has confident ones."""

    def __init__(
        self, measures: Mapping[str, Measure], own: Predictions, baseline: Predictions, tau: float, sums: _Sums
    ) -> None:
        self._all_rows = _Baseline(measures, own, tau, sums)
        confident = at_least(baseline.confidence, tau)
        self._matched = {
            name: _Ranked(own.confidence, measure.counted(own, tau), confident, sums)
            for name, measure in measures.items()
            if measure.interval == "matched"
        }

    def values(self, weights: np.ndarray, summed: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure in each resample, `kept` rows of which match the baseline's coverage."""
        matched = {name: ranked.counted_among(weights, summed, kept) for name, ranked in self._matched.items()}
        return self._all_rows.values(summed, weights.shape[1]) | matched


class _Ranked:
    """Rows in the order of their confidence, some of which count."""

    def __init__(self, confidence: np.ndarray, counted: np.ndarray, confident: np.ndarray, sums: _Sums) -> None:
        self._counted = counted
        self._order = np.argsort(-confidence, kind="stable")
        self._starts = np.flatnonzero(np.diff(confidence[self._order], prepend=2.0))
        self._middle = int(confident.sum())
        first = np.zeros(len(confidence), dtype=bool)
        first[self._order[: self._middle]] = True
        # The numbers kept by arm and baseline differ by the weights of the rows that only one of them keeps.
        differing = int((first != confident).sum())
        self._look_at(_REACH**2 + int(_REACH * differing**0.5 * 1.5))
        self._sure_rows, self._sure_counted = sums.add(self._sure()), sums.add(self._sure() & counted)

    def _look_at(self, reach: int) -> None:
        """Look at whole blocks of equal confidence one by one, from `reach` ranks before the middle to `reach` behind it."""
        rows = len(self._order)
        self._reach = reach
        first = max(0, int(np.searchsorted(self._starts, max(0, self._middle - reach), side="right")) - 1)
        last = int(np.searchsorted(self._starts, min(rows, self._middle + reach), side="left"))
        self._begin = int(self._starts[first])
        end = int(self._starts[last]) if last < len(self._starts) else rows
        self._near = self._order[self._begin : end]
        self._blocks = self._starts[first:last] - self._begin

    def _sure(self) -> np.ndarray:
        mask = np.zeros(len(self._order), dtype=bool)
        mask[self._order[: self._begin]] = True
        return mask

    def counted_among(self, weights: np.ndarray, summed: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """How many of the `kept` most confident rows count in each resample, as
        :func:`hcmlang.evaluation.predictions.mistakes_kept` counts mistakes."""
        return self._among(weights, summed[self._sure_rows], summed[self._sure_counted], kept)

    def _among(self, weights: np.ndarray, rows: np.ndarray, counted: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """`rows` and `counted` are the sums before the blocks that are looked at one by one."""
        near = weights[:, self._near]
        sizes, counts = self._by_block(near), self._by_block(near * self._counted[self._near])
        until = rows[:, None] + np.cumsum(sizes, axis=1)
        if (kept < rows).any() or (kept > until[:, -1]).any():
            # So far off by chance about once in 10^14 resamples.
            self._look_at(2 * self._reach + 1)
            sure = self._sure()
            rows, counted = weights @ sure.astype(np.float32), weights @ (sure & self._counted).astype(np.float32)
            result = self._among(weights, rows, counted, kept)
            self._look_at(self._reach // 2)
            return result
        resamples = np.arange(len(kept))
        last = (until < kept[:, None]).sum(axis=1)
        size = sizes[resamples, last]
        share = np.divide(kept - (until[resamples, last] - size), size, out=np.zeros_like(size), where=size > 0)
        counted_until = counted + np.cumsum(counts, axis=1)[resamples, last]
        return np.asarray(counted_until - (1 - share) * counts[resamples, last])

    def _by_block(self, near: np.ndarray) -> np.ndarray:
        single = len(self._blocks) == near.shape[1]
        return near if single else np.asarray(np.add.reduceat(near, self._blocks, axis=1))


def _interval(value: np.ndarray, of_seeds: np.ndarray, one_row: float) -> tuple[float, float, float, float]:
    """Ends of the interval, p-value and standard error of `value`, shape (1 + resamples,). `of_seeds`, shape
    (seeds, 1 + resamples), is the value of each seed, and `one_row` what a single row can change.

    Where all rows agree, resamples do not differ, although other rows might disagree. Then the p-value is that of the sign
    test, and the interval leaves room for rows that might differ (Clopper and Pearson 1934: of n rows, up to 3.7 at the 97.5%
    level, however large n is).
    """
    from scipy.stats import t

    seeds = len(of_seeds)
    of_rows = value[1:].var()
    apart = of_seeds - of_seeds.mean(axis=0)
    in_common = apart[:, 1:].var(axis=1).sum() / (seeds - 1)
    spread = of_seeds[:, 0].var(ddof=1)
    variance = of_rows + max(0.0, spread - in_common) / seeds
    error = float(np.sqrt(variance))
    freedom = (seeds - 1) * variance**2 / (spread / seeds) ** 2 if spread > 0 else np.inf
    half = float(t.ppf((1 + LEVEL) / 2, freedom)) * error
    here = float(value[0])
    # Copies of one number may differ in its last digit.
    if abs(here) > _SAME * one_row and error <= _SAME * one_row:
        p = float(min(1.0, 2 * 0.5 ** (abs(here) / one_row)))
        half = _ROOM * one_row if p < 1 - LEVEL else max(_ROOM * one_row, abs(here))
        return here - half, here + half, p, half / float(t.ppf((1 + LEVEL) / 2, np.inf))
    p = float(2 * t.sf(abs(here) / error, freedom)) if error > 0 else 1.0
    return here - half, here + half, p, error
