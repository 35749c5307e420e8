"""How the arms compare on one set of rows: measures, intervals, tests, and what could have been seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.progress import Advance, nothing_to_show
from hcmlang.statistics.calibration import scaled
from hcmlang.statistics.intervals import MEASURES, Interval, resampled
from hcmlang.statistics.measures import (
    Outcome,
    at_least,
    confidence_measures,
    directions,
    group_measures,
    kept,
    mean_of,
    measure,
    most_confident,
)
from hcmlang.statistics.significance import detectable, holm, mcnemar

#: What each arm's models say of a set of rows: probabilities, shape (rows, labels), for each seed.
Scores: TypeAlias = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Settings:
    """How arms are compared: at tau (`confidence`) and further `thresholds`, over `seeds`, with so many `resamples`."""

    confidence: float
    thresholds: tuple[float, ...]
    seeds: tuple[int, ...]
    resamples: int
    against: tuple[tuple[str, str], ...] = ()
    """Pairs of a teacher's arm and a control that it is compared with, too."""


def pairs_of(arms: Mapping[str, Mapping[str, Any]], teachers: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Each arm with a teacher, and each control that does the same with its instances. `arms` say where instances come from
    (`from`) and what is done with them (`by`)."""
    taught = [name for name, arm in arms.items() if set(arm["from"]) & set(teachers)]
    controls = [name for name, arm in arms.items() if arm["from"] and name not in taught]
    return tuple((arm, one) for arm in taught for one in controls if arms[arm]["by"] == arms[one]["by"])


def compare(
    name: str,
    table: Table,
    scores: Scores,
    temperatures: Mapping[str, Sequence[float]],
    settings: Settings,
    advance: Advance = nothing_to_show,
) -> dict[str, Any]:
    """The measures of every arm on the set `name`, with its difference from the arm `none`, and what could have been seen, as
    JSON-able data. `temperatures` are those of every arm's models, or empty. `advance` counts resamples."""
    tau, thresholds = settings.confidence, settings.thresholds
    outcomes = {arm: [Outcome.of(s, table.y) for s in own] for arm, own in scores.items()}
    found: dict[str, Any] = {}
    for arm, own in scores.items():
        seeds = []
        for number, (one, none) in enumerate(zip(own, scores["none"], strict=True)):
            entry = measure(one, table.y, none, thresholds, tau)
            if temperatures:
                at = temperatures[arm][number]
                entry["scaled"] = {"temperature": at, **confidence_measures(scaled(one, at), table.y, thresholds)}
            seeds.append(entry)
        mean = mean_of(seeds) | {"directions": _mean_directions(own, table, tau)}
        if table.groups is not None:
            mean["groups"] = _mean_groups(own, scores["none"], table, tau)
        found[arm] = {"mean": mean, "seeds": seeds}
    baseline = outcomes.pop("none")
    random = derive_seed("bootstrap", list(settings.seeds), name)
    drawn = resampled(outcomes, baseline, tau, settings.resamples, random, advance)
    bounds = {arm: drawn.against_baseline(arm) for arm in outcomes} if drawn is not None else None
    for arm in outcomes:
        found[arm]["difference"] = _difference(
            found[arm]["mean"], found["none"]["mean"], tau, bounds[arm] if bounds else None
        )
    _add_tests(found, outcomes, baseline, tau, bounds)
    for arm, control in settings.against:
        between = drawn.between(arm, control) if drawn is not None else None
        entry = _difference(found[arm]["mean"], found[control]["mean"], tau, between)
        if between is None:
            for measured in MEASURES:
                before = _events(measured, outcomes[control][0], tau, baseline[0])
                test = mcnemar(before, _events(measured, outcomes[arm][0], tau, baseline[0]))
                entry[measured] |= {"fixed": test.fixed, "broken": test.broken, "p": test.p}
        found[arm].setdefault("against", {})[control] = entry
    return {"rows": len(table), "arms": found, "power": _power(found["none"]["mean"], tau, bounds, settings.seeds)}


def _mean_directions(scores: Sequence[np.ndarray], table: Table, tau: float) -> list[dict[str, Any]]:
    """HCMs by gold and predicted label, mean over seeds."""
    found = [directions(one, table.y, table.labels, tau) for one in scores]
    return [one | {"hcms": float(np.mean([seed[i]["hcms"] for seed in found]))} for i, one in enumerate(found[0])]


def _mean_groups(
    scores: Sequence[np.ndarray], baseline: Sequence[np.ndarray], table: Table, tau: float
) -> list[dict[str, Any]]:
    """Measures within each group of rows, mean over seeds, the largest group first. Matched coverage is that of the baseline in
    the group."""
    assert table.groups is not None
    named = np.asarray(table.groups, dtype=object)
    sizes = Counter(table.groups)
    found = []
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        own = named == group
        seeds = [
            group_measures(one[own], none[own], table.y[own], tau) for one, none in zip(scores, baseline, strict=True)
        ]
        found.append({"group": group, "rows": sizes[group], **mean_of(seeds)})
    return found


def _difference(
    arm: Mapping[str, Any], none: Mapping[str, Any], tau: float, bounds: Mapping[str, Interval] | None
) -> dict[str, Any]:
    """Arm minus baseline, absolute and as a share of the baseline, with the ends of the 95% intervals; None where there
    is no interval, or no share."""
    pairs = {
        "accuracy": (arm["accuracy"], none["accuracy"]),
        "hcms": (arm["hcms"][str(tau)], none["hcms"][str(tau)]),
        "hcms_at_matched_coverage": (arm["hcms_at_matched_coverage"], none["hcms_at_matched_coverage"]),
    }
    found: dict[str, Any] = {}
    for name, (after, before) in pairs.items():
        bound = bounds[name] if bounds else None
        found[name] = {
            "mean": after - before,
            "low": bound.low if bound else None,
            "high": bound.high if bound else None,
            "p": bound.p if bound else None,
        }
        if name != "accuracy":
            low, high = bound.relative if bound and bound.relative else (None, None)
            share = (after - before) / before if before else None
            found[name]["relative"] = {"mean": share, "low": low, "high": high}
    return found


def _add_tests(
    found: Mapping[str, Any],
    arms: Mapping[str, Sequence[Outcome]],
    baseline: Sequence[Outcome],
    tau: float,
    bounds: Mapping[str, Mapping[str, Interval]] | None,
) -> None:
    """p-values adjusted for there being several arms; with one seed those of McNemar's test."""
    for name in MEASURES:
        differences = {arm: found[arm]["difference"][name] for arm in arms}
        if bounds is None:
            before = _events(name, baseline[0], tau, baseline[0])
            for arm, entry in differences.items():
                test = mcnemar(before, _events(name, arms[arm][0], tau, baseline[0]))
                entry |= {"fixed": test.fixed, "broken": test.broken, "p": test.p}
        for arm, p in holm({arm: entry["p"] for arm, entry in differences.items()}).items():
            differences[arm]["p_holm"] = p


def _events(measure: str, outcome: Outcome, tau: float, baseline: Outcome) -> np.ndarray:
    """The rows that a measure counts, for accuracy those that are wrong."""
    if measure == "accuracy":
        counted = np.ones(len(outcome), dtype=bool)
    elif measure == "hcms":
        counted = at_least(outcome.confidence, tau)
    else:
        counted = most_confident(outcome, kept(baseline, tau))
    return np.asarray(outcome.wrong & counted)


def _power(
    none: Mapping[str, Any], tau: float, bounds: Mapping[str, Mapping[str, Interval]] | None, seeds: Sequence[int]
) -> dict[str, Any]:
    """How large a fall of HCMs at matched coverage has to be to be seen four times in five: `detectable`, a share of the HCMs,
    by the least sure of the arms. None where there is no interval, or no HCM."""
    count = none["hcms"][str(tau)]
    share = None
    if bounds and count:
        share = max(detectable(one["hcms_at_matched_coverage"].error) for one in bounds.values()) / count
    return {"hcms": count, "seeds": len(seeds), "detectable": share}
