"""How sure a difference between two arms is: paired bootstrap over test rows and seeds.

Each resample draws the rows with replacement, the same ones for both arms and all seeds, and then the seeds (a
two-level bootstrap: Davison and Hinkley 1997, section 3.8). With one seed there is no telling how much the seed
matters, and no interval is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.loop.measures import Outcome

LEVEL = 0.95
#: Resamples that are worked on at once, which bounds the memory: this many numbers of single precision for each row.
_CHUNK = 256

Differences = dict[str, np.ndarray]


def intervals(
    arm: Sequence[Outcome], baseline: Sequence[Outcome], tau: float, resamples: int, seed: int
) -> dict[str, tuple[float, float]] | None:
    """95% percentile intervals of the difference arm - baseline of `accuracy`, `hcms` (at tau) and
    `hcms_at_matched_coverage`, averaged over seeds. One outcome for each seed; None with fewer than two."""
    if len(arm) < 2:
        return None
    random = np.random.default_rng(seed)
    sorted_arm, sorted_baseline = [_Ranked(o) for o in arm], [_Ranked(o) for o in baseline]
    found: dict[str, list[np.ndarray]] = {}
    rows = len(arm[0])
    for begin in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - begin)
        weights = random.multinomial(rows, np.full(rows, 1 / rows), size=count).astype(np.float32)
        of_seeds = random.multinomial(len(arm), np.full(len(arm), 1 / len(arm)), size=count) / len(arm)
        per_seed = [
            _differences(weights, a, b, tau) for a, b in zip(sorted_arm, sorted_baseline, strict=True)
        ]
        for name in per_seed[0]:
            values = np.stack([differences[name] for differences in per_seed], axis=1)
            found.setdefault(name, []).append((values * of_seeds).sum(axis=1))
    tail = (1 - LEVEL) / 2
    result = {}
    for name, parts in found.items():
        low, high = np.quantile(np.concatenate(parts), [tail, 1 - tail])
        result[name] = (float(low), float(high))
    return result


class _Ranked:
    """An outcome with its rows in falling order of confidence."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.order = np.argsort(-outcome.confidence, kind="stable")
        self.wrong = outcome.wrong[self.order].astype(np.float32)
        self.ends = np.flatnonzero(np.diff(outcome.confidence[self.order], append=-1.0))

    def mistakes_kept(self, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """:func:`hcmlang.loop.measures.mistakes_kept` for each resample (a row of `weights`) and its count."""
        ranked = weights[:, self.order]
        rows = np.cumsum(ranked, axis=1, dtype=np.float64)[:, self.ends]
        mistakes = np.cumsum(ranked * self.wrong, axis=1, dtype=np.float64)[:, self.ends]
        block = (rows < counts[:, None]).sum(axis=1).clip(max=len(self.ends) - 1)
        at = np.arange(len(counts))
        before = np.where(block > 0, rows[at, block - 1], 0.0)
        mistakes_before = np.where(block > 0, mistakes[at, block - 1], 0.0)
        size = rows[at, block] - before
        share = np.divide(counts - before, size, out=np.zeros(len(counts)), where=size > 0)
        return mistakes_before + share * (mistakes[at, block] - mistakes_before)


def _differences(weights: np.ndarray, arm: _Ranked, baseline: _Ranked, tau: float) -> Differences:
    confident, baseline_confident = (r.outcome.confidence >= np.float32(tau) for r in (arm, baseline))
    wrong, baseline_wrong = arm.outcome.wrong, baseline.outcome.wrong
    kept = weights @ baseline_confident.astype(np.float32)
    right = (baseline_wrong.astype(np.float32) - wrong) / weights.shape[1]
    hcms = (wrong & confident).astype(np.float32) - (baseline_wrong & baseline_confident)
    matched = arm.mistakes_kept(weights, kept) - baseline.mistakes_kept(weights, kept)
    return {"accuracy": weights @ right, "hcms": weights @ hcms, "hcms_at_matched_coverage": matched}
