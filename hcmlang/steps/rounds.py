"""Rounds: the part of the pool that each one looks at, when an arm stops, and which mistakes come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hcmlang.evaluation.predictions import Predictions, confident_errors, matched_mistakes
from hcmlang.hashing import derive_seed


def part(rows: int, number: int, rounds: int, seed: int) -> np.ndarray:
    """Whether round `number` (from 1) looks at each of the pool's rows: bool, shape (rows,). The seed draws the parts, whose
    sizes differ by at most one row."""
    if rounds == 1:
        return np.ones(rows, dtype=bool)
    order = np.random.default_rng(derive_seed("rounds", seed)).permutation(rows)
    return np.asarray(order % rounds == number - 1)


@dataclass(frozen=True)
class Gain:
    """HCMs at matched coverage before and after a round, in the part of the pool that the next round looks at."""

    before: float
    after: float


def gains(scores: Sequence[np.ndarray], gold: np.ndarray, confidence: float, rounds: int, seed: int) -> list[Gain]:
    """The gain of each round but the last, after which no part of the pool is left to measure it.

    `scores` are the pool's probabilities under the model before the first round, and after each.
    """
    measured = []
    for number, (before, after) in enumerate(pairwise(scores), start=1):
        if number < rounds:
            fresh = part(len(gold), number + 1, rounds, seed)
            was, now = Predictions(before[fresh], gold[fresh]), Predictions(after[fresh], gold[fresh])
            measured.append(Gain(matched_mistakes(was, was, confidence), matched_mistakes(now, was, confidence)))
    return measured


def stopped(gains: Sequence[Gain], no_gain_for: int) -> bool:
    """Whether none of the last `no_gain_for` rounds has lowered the HCMs."""
    last = gains[-no_gain_for:]
    return len(last) == no_gain_for and all(gain.after >= gain.before for gain in last)


@dataclass(frozen=True)
class Regression:
    """How the models treat the HCMs that a round found."""

    found: int
    now: int
    """HCMs of the last model, too."""
    back: int
    """Of these, those that the round's own model had repaired: they came back."""


def regression(
    scores: Sequence[np.ndarray], gold: np.ndarray, confidence: float, rounds: int, seed: int, number: int
) -> Regression:
    """The HCMs that round `number` found, under its own model and under the last one."""
    own = part(len(gold), number, rounds, seed)

    def wrong(after: int) -> set[int]:
        return {int(row) for row in confident_errors(scores[after], gold, confidence) if own[row]}

    was, then, now = wrong(number - 1), wrong(number), wrong(-1)
    return Regression(len(was), len(was & now), len((was & now) - then))
