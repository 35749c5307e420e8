"""How sure the differences between arms are: a paired bootstrap over test rows, with the spread over seeds beside it.

Every resample draws the rows with replacement, the same ones for every arm and seed. That tells how much a difference that is
averaged over the seeds that were tried depends on the rows. How much it depends on the seeds is estimated from the differences
of the single seeds, less what rows and seeds have in common, which the resamples know too (the two-way layout of Owen 2007).
Both make up the standard error; as the second rests on few seeds, the quantiles are those of Student's t with the degrees of
freedom of Satterthwaite (1946). Drawing seeds as well, as one draws rows, gives intervals that are too narrow by far for
few seeds: 95% intervals for 3 seeds that matter held the truth in 80% of simulations (tests/statistics/test_truth.py has those
of this method). With one seed there is no telling how much the seed matters, and no interval is given.

HCMs at matched coverage are exact in every resample: the coverage is the baseline's coverage of that resample, and the
arm's rows are ranked once, so that a resample is a weighting of ranked rows. What is counted is a product of matrices; only
the rows near the end of what is kept, where the resamples disagree, are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hcmlang.progress import Advance, nothing_to_show
from hcmlang.statistics.measures import Outcome, at_least

LEVEL = 0.95
#: Row weights that are held at once.
_WEIGHTS = 4_000_000
#: How many standard deviations of the number of rows kept the rows looked at one by one reach at least.
_REACH = 8

#: Rows that may be otherwise where all that were seen are alike, and how little is no difference.
_ROOM, _SAME = 3.7, 1e-9

MEASURES = ("accuracy", "hcms", "hcms_at_matched_coverage")


@dataclass(frozen=True)
class Interval:
    """A 95% interval of arm minus baseline, and of that difference as a share of the baseline; `relative` is None where the
    baseline may be zero, or where a share says nothing. `p` is the two-sided p-value that belongs to the interval, `error` the
    standard error of the difference."""

    low: float
    high: float
    relative: tuple[float, float] | None
    p: float
    error: float


@dataclass(frozen=True)
class Resampled:
    """What arms and baseline measure in the same resamples."""

    _chunks: Mapping[str, Sequence[_Values]]
    _rows: int

    def against_baseline(self, arm: str) -> dict[str, Interval]:
        """The intervals of arm minus baseline, by measure."""
        return _summarized(self._chunks[arm], self._rows)

    def between(self, arm: str, other: str) -> dict[str, Interval]:
        """The intervals of one arm minus another; both keep as many predictions as the baseline."""
        both = zip(self._chunks[arm], self._chunks[other], strict=True)
        pairs: list[_Values] = [{name: (theirs[name][1], own[name][1]) for name in MEASURES} for own, theirs in both]
        return _summarized(pairs, self._rows)


def resampled(
    arms: Mapping[str, Sequence[Outcome]],
    baseline: Sequence[Outcome],
    tau: float,
    resamples: int,
    seed: int,
    advance: Advance = nothing_to_show,
) -> Resampled | None:
    """The measures of every arm in the same resamples of the rows, drawn by `seed`; None with fewer than two seeds, or no arm.

    One outcome for each seed, in the same order for all. `advance` is called with the number of resamples just done.
    """
    seeds, rows = len(baseline), len(baseline[0])
    if seeds < 2 or not arms:
        return None
    random = np.random.default_rng(seed)
    sums = _Sums()
    before = [_Counted(outcome, tau, sums) for outcome in baseline]
    after = {
        arm: [_Ranked(outcome, tau, base, sums) for outcome, base in zip(outcomes, baseline, strict=True)]
        for arm, outcomes in arms.items()
    }
    found: dict[str, list[_Values]] = {arm: [] for arm in arms}

    def look(weights: np.ndarray) -> None:
        summed = sums.of(weights)
        reference = [one.measures(summed, rows) for one in before]
        for arm, outcomes in after.items():
            own = [one.measures(weights, summed, b["kept"]) for one, b in zip(outcomes, reference, strict=True)]
            found[arm].append(
                {name: tuple(np.stack([m[name] for m in side]) for side in (reference, own)) for name in MEASURES}
            )

    look(np.ones((1, rows), dtype=np.float32))
    size = max(1, min(resamples, _WEIGHTS // rows))
    for begin in range(0, resamples, size):
        count = min(size, resamples - begin)
        look(_weights(random, rows, count))
        advance(count)
    return Resampled(found, rows)


#: Baseline and arm by measure, each of shape (seeds, resamples).
_Values = dict[str, tuple[np.ndarray, ...]]


def _weights(random: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """How often each row is drawn, float32, shape (resamples, rows): sums of them are exact up to 16 million rows."""
    weights = np.empty((count, rows), dtype=np.float32)
    for one in weights:
        one[:] = np.bincount(random.integers(0, rows, size=rows, dtype=np.uint32), minlength=rows)
    return weights


class _Sums:
    """Sets of rows whose weights are summed, all of them in one product of matrices."""

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


class _Counted:
    """An outcome whose rows are counted with weights: the baseline's, whose HCMs at matched coverage are those at tau."""

    def __init__(self, outcome: Outcome, tau: float, sums: _Sums) -> None:
        confident = at_least(outcome.confidence, tau)
        self._right = sums.add(~outcome.wrong)
        self._hcms = sums.add(outcome.wrong & confident)
        self._kept = sums.add(confident)

    def measures(self, summed: np.ndarray, rows: int) -> dict[str, np.ndarray]:
        """Each measure in each resample; `kept` is the number of confident predictions."""
        hcms = summed[self._hcms]
        return {
            "accuracy": summed[self._right] / rows,
            "hcms": hcms,
            "hcms_at_matched_coverage": hcms,
            "kept": summed[self._kept],
        }


class _Ranked:
    """An outcome whose rows are counted with weights and ranked by confidence."""

    def __init__(self, outcome: Outcome, tau: float, baseline: Outcome, sums: _Sums) -> None:
        self._plain = _Counted(outcome, tau, sums)
        self._sums = sums
        self._outcome = outcome
        self._order = np.argsort(-outcome.confidence, kind="stable")
        self._starts = np.flatnonzero(np.diff(outcome.confidence[self._order], prepend=2.0))
        confident = at_least(baseline.confidence, tau)
        self._middle = int(confident.sum())
        first = np.zeros(len(outcome), dtype=bool)
        first[self._order[: self._middle]] = True
        # The numbers kept by arm and baseline differ by the weights of the rows that only one of them keeps.
        differing = int((first != confident).sum())
        self._look_at(_REACH**2 + int(_REACH * differing**0.5 * 1.5))
        self._sure_rows, self._sure_wrong = sums.add(self._sure()), sums.add(self._sure() & outcome.wrong)

    def _look_at(self, reach: int) -> None:
        """Look at whole blocks of equal confidence one by one from `reach` ranks before the middle to `reach` behind it."""
        rows = len(self._order)
        self._reach = reach
        first = max(0, int(np.searchsorted(self._starts, max(0, self._middle - reach), side="right")) - 1)
        last = int(np.searchsorted(self._starts, min(rows, self._middle + reach), side="left"))
        self._begin = int(self._starts[first])
        self._end = int(self._starts[last]) if last < len(self._starts) else rows
        self._near = self._order[self._begin : self._end]
        self._blocks = self._starts[first:last] - self._begin
        self._near_wrong = self._outcome.wrong[self._near]

    def _sure(self) -> np.ndarray:
        mask = np.zeros(len(self._order), dtype=bool)
        mask[self._order[: self._begin]] = True
        return mask

    def measures(self, weights: np.ndarray, summed: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure in each resample, `kept` rows being kept for matched coverage."""
        matched = self._mistakes_kept(weights, summed[self._sure_rows], summed[self._sure_wrong], kept)
        return self._plain.measures(summed, weights.shape[1]) | {"hcms_at_matched_coverage": matched}

    def _mistakes_kept(self, weights: np.ndarray, rows: np.ndarray, wrong: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """:func:`hcmlang.statistics.measures.mistakes_kept` of `kept` rows in each resample; `rows` and `wrong` are counted
        before the blocks that are looked at."""
        near = weights[:, self._near]
        sizes, mistakes = self._by_block(near), self._by_block(near * self._near_wrong)
        until = rows[:, None] + np.cumsum(sizes, axis=1)
        if (kept < rows).any() or (kept > until[:, -1]).any():
            # So far off by chance about once in 10^14 resamples.
            self._look_at(2 * self._reach + 1)
            sure = self._sure()
            rows, wrong = weights @ sure.astype(np.float32), weights @ (sure & self._outcome.wrong).astype(np.float32)
            found = self._mistakes_kept(weights, rows, wrong, kept)
            self._look_at(self._reach // 2)
            return found
        each = np.arange(len(kept))
        last = (until < kept[:, None]).sum(axis=1)
        size = sizes[each, last]
        share = np.divide(kept - (until[each, last] - size), size, out=np.zeros_like(size), where=size > 0)
        mistakes_until = wrong + np.cumsum(mistakes, axis=1)[each, last]
        result: np.ndarray = mistakes_until - (1 - share) * mistakes[each, last]
        return result

    def _by_block(self, near: np.ndarray) -> np.ndarray:
        single = len(self._blocks) == near.shape[1]
        return near if single else np.asarray(np.add.reduceat(near, self._blocks, axis=1))


def _summarized(chunks: Sequence[_Values], rows: int) -> dict[str, Interval]:
    """The intervals by measure. The first resample is the rows as they are."""
    found = {}
    for name in MEASURES:
        before, after = (np.concatenate([c[name][side] for c in chunks], axis=1, dtype=np.float64) for side in (0, 1))
        difference = after - before
        one_row = 1 / rows if name == "accuracy" else 1.0
        low, high, p, error = _interval(difference.mean(axis=0), difference, one_row)
        relative = None
        if name != "accuracy" and (before.mean(axis=0) > 0).all():
            base, arm = before.mean(axis=0), after.mean(axis=0)
            # What a seed adds to the share, to the first order.
            of_seeds = (after - arm / base * before) / base
            share_low, share_high, *_ = _interval(arm / base - 1, of_seeds, 1 / float(base[0]))
            relative = (max(-1.0, share_low), share_high)
        found[name] = Interval(low, high, relative, p, error)
    return found


def _interval(value: np.ndarray, of_seeds: np.ndarray, one_row: float) -> tuple[float, float, float, float]:
    """Ends of the interval, p-value and standard error of `value`, shape (1 + resamples,); `of_seeds`, shape
    (seeds, 1 + resamples), are what each seed says of it. `one_row` is what a single row can change.

    Where every row says the same, resamples do not differ, and yet other rows might say something else. Then the p-value is
    that of the sign test, and the interval leaves room for the rows that could be otherwise (Clopper and Pearson 1934: of n
    rows, up to 3.7 at the 97.5% level, however large n is).
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
