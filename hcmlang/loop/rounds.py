"""Rounds: which part of the pool each one looks at, whether an arm has had enough, and what became of what was repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hcmlang.evaluation.predictions import Predictions, confident_errors, matched_mistakes
from hcmlang.hashing import derive_seed


def part(rows: int, number: int, rounds: int, seed: int) -> np.ndarray:
    """Whether each of so many rows of the pool is in the part that a round looks at (`number` from 1): bool, shape (rows,).
    The parts are equal but for one row, and drawn by the seed."""
    if rounds == 1:
        return np.ones(rows, dtype=bool)
    order = np.random.default_rng(derive_seed("rounds", seed)).permutation(rows)
    return np.asarray(order % rounds == number - 1)


@dataclass(frozen=True)
class Gain:
    """HCMs at matched coverage before a round and after it, in the part of the pool that the next round looks at."""

    before: float
    after: float


def gains(scores: Sequence[np.ndarray], gold: np.ndarray, confidence: float, rounds: int, seed: int) -> list[Gain]:
    """What each round has gained, as far as there is a part of the pool left to see it in.

    `scores` are the pool's probabilities under the model before the first round, and after each.
    """
    found = []
    for number, (before, after) in enumerate(pairwise(scores), start=1):
        if number < rounds:
            fresh = part(len(gold), number + 1, rounds, seed)
            was, now = Predictions(before[fresh], gold[fresh]), Predictions(after[fresh], gold[fresh])
            found.append(Gain(matched_mistakes(was, was, confidence), matched_mistakes(now, was, confidence)))
    return found


def stopped(found: Sequence[Gain], no_gain_for: int) -> bool:
    """Whether the last `no_gain_for` rounds have lowered nothing."""
    last = found[-no_gain_for:]
    return len(last) == no_gain_for and all(one.after >= one.before for one in last)


@dataclass(frozen=True)
class Regression:
    """What became of the HCMs that a round found."""

    found: int
    now: int
    """That the last model is still confidently wrong about."""
    back: int
    """Of these, that the model of the round itself was not: they came back."""


def regression(
    scores: Sequence[np.ndarray], gold: np.ndarray, confidence: float, rounds: int, seed: int, number: int
) -> Regression:
    """The HCMs that round `number` found, under its own model and under the last one."""
    own = part(len(gold), number, rounds, seed)

    def wrong(after: int) -> set[int]:
        return {int(row) for row in confident_errors(scores[after], gold, confidence) if own[row]}

    was, then, now = wrong(number - 1), wrong(number), wrong(-1)
    return Regression(len(was), len(was & now), len((was & now) - then))
