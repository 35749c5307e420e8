"""The intervals of all arms at once, as the tests look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hcmlang.statistics.intervals import Interval, resampled
from hcmlang.statistics.measures import Outcome


def intervals(
    arms: Mapping[str, Sequence[Outcome]], baseline: Sequence[Outcome], *rest: Any, **named: Any
) -> dict[str, dict[str, Interval]] | None:
    """Of each arm minus baseline, by measure; the rest is as for :func:`hcmlang.statistics.intervals.resampled`."""
    found = resampled(arms, baseline, *rest, **named)
    return {arm: found.against_baseline(arm) for arm in arms} if found is not None else None
