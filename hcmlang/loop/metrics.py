"""What metrics.json says: every arm on every set, the pool, the instances, and the numbers of the headline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from hcmlang.data.records import read_jsonl
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.loop.detect import confident_errors
from hcmlang.statistics.intervals import Interval, intervals
from hcmlang.statistics.measures import Outcome, mean_of, measure
from hcmlang.loop.work import INSTANCES, REJECTED, Work

#: Thresholds that are tried when a pool has no HCM, to tell the user what to lower the threshold to.
_LOWER = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.4)


def metrics(work: Work, pool: Table, sets: Mapping[str, Table], hypotheses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that metrics.json holds (docs/run-directory.md), as JSON-able data; the same for the same results."""
    config = work.config
    compared: dict[str, Any] = {
        name: {"rows": len(table), "arms": _arms(work, name, table)} for name, table in sets.items()
    }
    return {
        "hcmlang": version("hcmlang"),
        "name": config["name"],
        "partial": config["partial"],
        "task": {"fields": config["fields"], "labels": config["labels"]},
        "confidence": config["confidence"],
        "seeds": config["seeds"],
        "arms": config["arms"],
        "teachers": [arm for arm in config["arms"] if arm in config["teachers"]],
        "resamples": config["resamples"],
        "summary": _summary(work, pool, compared["test"]["arms"], hypotheses),
        "train": {"rows": len(work.table("train"))},
        "pool": _pool(work, pool),
        "instances": {arm: _instances(work, arm) for arm in config["arms"] if arm != "none"},
        "sets": compared,
    }


def not_used(work: Work, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Every instance that was asked for and is not trained on: hypothesis, reason, detail, and its text if it has one."""
    for role in ("generate", "select"):
        folder = work.inputs.get(f"{role}:{arm}:{seed}")
        if folder is not None:
            yield from read_jsonl(folder / REJECTED)


def _arms(work: Work, name: str, table: Table) -> dict[str, Any]:
    """The measures of every arm on a set of rows, with its difference from the baseline."""
    config, tau = work.config, work.config["confidence"]
    scores = {arm: [work.scores(f"scores:{name}:{arm}:{seed}") for seed in config["seeds"]] for arm in config["arms"]}
    outcomes = {arm: [Outcome.of(s, table.y) for s in own] for arm, own in scores.items()}
    found = {}
    for arm, own in scores.items():
        pairs = zip(own, scores["none"], strict=True)
        seeds = [measure(s, table.y, baseline, config["thresholds"], tau) for s, baseline in pairs]
        found[arm] = {"mean": mean_of(seeds), "seeds": seeds}
    baseline = outcomes.pop("none")
    with work.progress.task(f"intervals on {name}", config["resamples"]) as advance:
        bounds = intervals(
            outcomes, baseline, tau, config["resamples"], derive_seed("bootstrap", config["seeds"], name), advance
        )
    for arm in outcomes:
        found[arm]["difference"] = _difference(
            found[arm]["mean"], found["none"]["mean"], tau, bounds[arm] if bounds else None
        )
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
        }
        if name != "accuracy":
            low, high = bound.relative if bound and bound.relative else (None, None)
            share = (after - before) / before if before else None
            found[name]["relative"] = {"mean": share, "low": low, "high": high}
    return found


def _pool(work: Work, pool: Table) -> dict[str, Any]:
    """HCMs of the pool by direction, for each seed."""
    labels, found = pool.labels, []
    for seed in work.config["seeds"]:
        scores = work.scores(f"pool_scores:{seed}")
        rows = confident_errors(scores, pool.y, work.config["confidence"])
        pairs = Counter((labels[pool.y[row]], labels[scores[row].argmax()]) for row in rows)
        directions = [{"gold": g, "predicted": p, "hcms": pairs[g, p]} for g, p in sorted(pairs)]
        found.append({"seed": seed, "hcms": len(rows), "directions": directions})
    return {"rows": len(pool), "crossfit": work.config["crossfit"], "seeds": found}


def _instances(work: Work, arm: str) -> list[dict[str, Any]]:
    """How many instances an arm was trained on, and how many were not used and why, for each seed."""
    counts = []
    for seed in work.config["seeds"]:
        kept = len(read_jsonl(work.inputs[f"select:{arm}:{seed}"] / INSTANCES))
        dropped = Counter(record["reason"] for record in not_used(work, arm, seed))
        counts.append({"seed": seed, "kept": kept, "dropped": dict(sorted(dropped.items()))})
    return counts


def _summary(work: Work, pool: Table, arms: Mapping[str, Any], hypotheses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of the headline: the first teacher's arm against the baseline on the test rows."""
    config, tau = work.config, work.config["confidence"]
    scores = [work.scores(f"pool_scores:{seed}") for seed in config["seeds"]]

    def found(threshold: float) -> float:
        """HCMs in the pool, mean over seeds."""
        return float(np.mean([len(confident_errors(s, pool.y, threshold)) for s in scores]))

    arm = next((name for name in config["arms"] if name in config["teachers"]), None)
    summary: dict[str, Any] = {"arm": arm, "pool_hcms": found(tau)}
    if summary["pool_hcms"] == 0:
        wrong = [s.max(axis=1)[s.argmax(axis=1) != pool.y] for s in scores]
        summary["most_confident_mistake"] = max((float(w.max()) for w in wrong if len(w)), default=None)
        lower = {t: found(t) for t in _LOWER}
        summary["hcms_at_lower_confidence"] = {str(t): count for t, count in lower.items() if count > 0}
    if arm is not None:
        summary["hypotheses"] = sum(h["arm"] == arm for h in hypotheses)
        for name in ("hcms_at_matched_coverage", "hcms", "accuracy"):
            before, after = (arms[which]["mean"][name] for which in ("none", arm))
            if name == "hcms":
                before, after = before[str(tau)], after[str(tau)]
            summary[name] = {"before": before, "after": after, **arms[arm]["difference"][name]}
    return summary
