"""How the arms compare on one set of rows: measures, differences with intervals and tests, and the detectable effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hcmlang.data.table import Table
from hcmlang.evaluation.calibration import scaled
from hcmlang.evaluation.intervals import Interval, resampled
from hcmlang.evaluation.measures import Measure, at, mean_of, measure, measures
from hcmlang.evaluation.predictions import Predictions, at_least, kept, most_confident
from hcmlang.evaluation.significance import detectable, holm, mcnemar
from hcmlang.hashing import derive_seed
from hcmlang.progress import Advance, nothing_to_show

#: The probabilities of each arm's models on a set of rows, shape (rows, labels), one array for each seed.
Scores: TypeAlias = Mapping[str, Sequence[np.ndarray]]
#: The measure that decides whether an arm is better, and all those of the headline.
MATCHED = "hcms_at_matched_coverage"
HEADLINE = (MATCHED, "hcms", "accuracy")


@dataclass(frozen=True)
class Settings:
    """How arms are compared: at tau (`confidence`) and further `thresholds`, over `seeds`, with `resamples` of the rows."""

    confidence: float
    thresholds: tuple[float, ...]
    seeds: tuple[int, ...]
    resamples: int
    against: tuple[tuple[str, str], ...] = ()
    """Pairs of a teacher's arm and a control, which are compared with each other as well."""
    measures: tuple[str, ...] | None = None
    """The names of the measures; all that are registered by default."""


def pairs_of(arms: Mapping[str, Mapping[str, Any]], teachers: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Each arm with a teacher, paired with each control that uses its instances in the same way. `arms` say where instances
    come from (`from`) and how they are used (`by`)."""
    taught = [name for name, arm in arms.items() if set(arm["from"]) & set(teachers)]
    controls = [name for name, arm in arms.items() if arm["from"] and name not in taught]
    return tuple((arm, control) for arm in taught for control in controls if arms[arm]["by"] == arms[control]["by"])


def compare(
    name: str,
    table: Table,
    scores: Scores,
    temperatures: Mapping[str, Sequence[float]],
    settings: Settings,
    advance: Advance = nothing_to_show,
) -> dict[str, Any]:
    """The `sets.NAME` of metrics.json for the rows of a set: the measures of every arm, its difference from the arm `none` and
    from controls, and the detectable effect, as JSON-able data.

    `temperatures` are those of every arm's models, one for each seed, or empty. `advance` counts resamples.
    """
    tau, kinds = settings.confidence, measures(settings.measures)
    tested = {key: kind for key, kind in kinds.items() if kind.interval}
    predictions = {arm: [Predictions(one, table.y) for one in own] for arm, own in scores.items()}
    arms = {
        arm: _measured(own, predictions["none"], temperatures.get(arm, ()), table, kinds, settings)
        for arm, own in predictions.items()
    }
    others = {arm: own for arm, own in predictions.items() if arm != "none"}
    random = derive_seed("bootstrap", list(settings.seeds), name)
    drawn = resampled(tested, others, predictions["none"], tau, settings.resamples, random, advance)
    bounds = {arm: drawn.against_baseline(arm) for arm in others} if drawn else {}

    def difference(arm: str, other: str, intervals: Mapping[str, Interval] | None) -> dict[str, Any]:
        entries = {}
        for key, kind in tested.items():
            after, before = (at(arms[which]["mean"][key], tau) or 0.0 for which in (arm, other))
            entries[key] = _difference(kind, after, before, intervals[key] if intervals else None)
            if not intervals:
                events = [_events(kind, predictions[which][0], predictions["none"][0], tau) for which in (other, arm)]
                entries[key] |= vars(mcnemar(*events))
        return entries

    for arm in others:
        arms[arm]["difference"] = difference(arm, "none", bounds.get(arm))
    for key in tested:
        entries = {arm: arms[arm]["difference"][key] for arm in others}
        for arm, p in holm({arm: entry["p"] for arm, entry in entries.items()}).items():
            entries[arm]["p_holm"] = p
    for arm, control in settings.against:
        between = drawn.between(arm, control) if drawn else None
        arms[arm].setdefault("against", {})[control] = difference(arm, control, between)
    return {"rows": len(table), "arms": arms, "power": _power(arms["none"]["mean"], tau, bounds, settings.seeds)}


def headline_figures(arms: Mapping[str, Any], arm: str, tau: float) -> dict[str, dict[str, Any]]:
    """The figures of the headline, an arm against the baseline: for each measure `before`, `after`, and its difference. `arms`
    are those of a set that :func:`compare` has compared."""
    figures = {}
    for name in HEADLINE:
        before, after = (at(arms[which]["mean"][name], tau) for which in ("none", arm))
        figures[name] = {"before": before, "after": after, **arms[arm]["difference"][name]}
    return figures


def _measured(
    own: Sequence[Predictions],
    baseline: Sequence[Predictions],
    temperatures: Sequence[float],
    table: Table,
    kinds: Mapping[str, Measure],
    settings: Settings,
) -> dict[str, Any]:
    """The measures of an arm for each seed, and their means with the directions and groups of mistakes."""
    tau, thresholds = settings.confidence, settings.thresholds
    of_confidence = {name: kind for name, kind in kinds.items() if kind.of_confidence}
    seeds = [measure(one, none, tau, thresholds, kinds) for one, none in zip(own, baseline, strict=True)]
    for entry, one, none, temperature in zip(seeds, own, baseline, temperatures, strict=False):
        calibrated = Predictions(scaled(one.scores, temperature), one.gold)
        values = measure(calibrated, none, tau, thresholds, of_confidence)
        entry["scaled"] = {"temperature": temperature, **values}
    mean = mean_of(seeds) | {"directions": _directions(own, table.labels, tau)}
    if table.groups is not None:
        mean["groups"] = _groups(own, baseline, table.groups, kinds, tau)
    return {"mean": mean, "seeds": seeds}


def _directions(own: Sequence[Predictions], labels: Sequence[str], tau: float) -> list[dict[str, Any]]:
    """HCMs by gold and predicted label, for every pair of labels that has a gold row; mean over seeds."""
    gold = own[0].gold
    hcms = [at_least(one.confidence, tau) for one in own]
    predicted = [one.scores.argmax(axis=1) for one in own]

    def count(g: int, p: int) -> float:
        return float(np.mean([((gold == g) & (pr == p) & hcm).sum() for pr, hcm in zip(predicted, hcms, strict=True)]))

    return [
        {"gold": labels[g], "predicted": labels[p], "hcms": count(g, p)}
        for g in np.unique(gold)
        for p in range(len(labels))
        if p != g
    ]


def _groups(
    own: Sequence[Predictions],
    baseline: Sequence[Predictions],
    groups: Sequence[str],
    kinds: Mapping[str, Measure],
    tau: float,
) -> list[dict[str, Any]]:
    """The measures in each group of rows, mean over seeds, the largest group first. Matched coverage is the baseline's in the
    group."""
    of_row, sizes = np.asarray(groups, dtype=object), Counter(groups)
    chosen = {name: kind for name, kind in kinds.items() if kind.by_group}
    entries = []
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        rows = of_row == group
        seeds = [
            measure(one.of(rows), none.of(rows), tau, [tau], chosen) for one, none in zip(own, baseline, strict=True)
        ]
        values = {name: at(value, tau) for name, value in mean_of(seeds).items()}
        entries.append({"group": group, "rows": sizes[group], **values})
    return entries


def _difference(kind: Measure, after: float, before: float, interval: Interval | None) -> dict[str, Any]:
    """A difference, absolute and (of a count) as a share of `before`, with the ends of the 95% intervals; None where there is
    no interval, or no share."""
    entry: dict[str, Any] = {
        "mean": after - before,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "p": interval.p if interval else None,
    }
    if kind.interval != "share":
        low, high = interval.relative if interval and interval.relative else (None, None)
        entry["relative"] = {"mean": (after - before) / before if before else None, "low": low, "high": high}
    return entry


def _events(kind: Measure, own: Predictions, baseline: Predictions, tau: float) -> np.ndarray:
    """The rows that count against an arm, bool, for the test that one seed allows."""
    counted = kind.counted(own, tau)
    if kind.interval == "matched":
        counted = counted & most_confident(own, kept(baseline, tau))
    return ~counted if kind.better == "higher" else counted


def _power(
    none: Mapping[str, Any], tau: float, bounds: Mapping[str, Mapping[str, Interval]], seeds: Sequence[int]
) -> dict[str, Any]:
    """The fall of HCMs at matched coverage that would be seen four times in five: `detectable`, a share of the HCMs, for the
    arm whose difference is least certain. None where there is no interval, or no HCM."""
    hcms, share = at(none["hcms"], tau), None
    if bounds and hcms:
        share = max(detectable(intervals[MATCHED].error) for intervals in bounds.values()) / hcms
    return {"hcms": hcms, "seeds": len(seeds), "detectable": share}
