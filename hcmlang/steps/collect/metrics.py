"""The content of metrics.json: every arm on every set, the pool, the instances, and the numbers of the headline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from hcmlang.data.table import Table
from hcmlang.evaluation.calibration import temperature
from hcmlang.evaluation.comparison import Settings, compare, headline_figures, pairs_of
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.run.step import StepContext
from hcmlang.steps.collect.history import history

if TYPE_CHECKING:
    from hcmlang.steps.collect.results import CollectResults

#: Thresholds to try when a pool has no HCM, to suggest a lower one.
_LOWER = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.4)


def metrics(
    step: CollectResults,
    context: StepContext,
    pool: Table,
    sets: Mapping[str, Table],
    hypotheses: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """All of metrics.json (docs/run-directory.md), as JSON data; the same for the same results."""
    arms = {name: {"from": list(arm.sources), "by": arm.method} for name, arm in step.arms.items()}
    temperatures = _temperatures(step, context)
    compared = {name: _compared(step, context, arms, name, table, temperatures) for name, table in sets.items()}
    rounds = {arm: history(step, context, arm, pool, sets["test"]) for arm in step.arms if step.last_round(arm) > 1}
    return {
        "hcmlang": version("hcmlang"),
        "name": step.name,
        "partial": step.partial,
        "task": {"fields": list(step.schema.fields), "labels": list(step.schema.labels)},
        "confidence": step.confidence,
        "seeds": [seed.seed for seed in step.seeds],
        "arms": list(step.arms),
        "arm_of": arms,
        "teachers": list(step.teachers),
        "resamples": step.resamples,
        "summary": _summary(step, context, pool, compared["test"]["arms"], hypotheses),
        "train": {"rows": len(step.train.table(context))},
        "pool": _pool(step, context, pool),
        "instances": {arm: _instances(step, context, arm) for arm in step.arms if arm != "none"},
        "sets": compared,
        "rounds": rounds,
    }


def _compared(
    step: CollectResults,
    context: StepContext,
    arms: Mapping[str, Mapping[str, Any]],
    name: str,
    table: Table,
    temperatures: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    scores = {arm: [seed.arms[arm].sets[name].scores(context) for seed in step.seeds] for arm in step.arms}
    seeds, against = tuple(seed.seed for seed in step.seeds), pairs_of(arms, step.teachers)
    settings = Settings(step.confidence, step.thresholds, seeds, step.resamples, against)
    with context.progress.task(f"intervals on {name}", step.resamples) as advance:
        return compare(name, table, scores, temperatures, settings, advance)


def _temperatures(step: CollectResults, context: StepContext) -> dict[str, list[float]]:
    """For each arm the temperature of each seed's model, fitted on the calibration rows; empty without such rows."""
    gold = [seed.calibration.table(context).y for seed in step.seeds if seed.calibration is not None]
    temperatures: dict[str, list[float]] = {arm: [] for arm in step.arms} if gold else {}
    for arm, fitted in temperatures.items():
        for seed, y in zip(step.seeds, gold, strict=True):
            scores = seed.arms[arm].calibration
            assert scores is not None, "every arm predicts the calibration rows"
            fitted.append(temperature(scores.scores(context), y))
    return temperatures


def _pool(step: CollectResults, context: StepContext, pool: Table) -> dict[str, Any]:
    """HCMs of the pool by direction, for each seed."""
    labels, seeds = pool.labels, []
    for seed in step.seeds:
        scores = seed.first.scores.scores(context)
        rows = confident_errors(scores, pool.y, step.confidence)
        pairs = Counter((labels[pool.y[row]], labels[scores[row].argmax()]) for row in rows)
        directions = [{"gold": g, "predicted": p, "hcms": pairs[g, p]} for g, p in sorted(pairs)]
        leaked = seed.first.groups.leaked(context)
        seeds.append({"seed": seed.seed, "hcms": len(rows), "leaked": leaked, "directions": directions})
    return {"rows": len(pool), "crossfit": step.crossfit, "seeds": seeds}


def _instances(step: CollectResults, context: StepContext, arm: str) -> list[dict[str, Any]]:
    """How many instances an arm was trained on, and how many were not used and why, for each seed."""
    counts = []
    for seed in step.seeds:
        kept = len(step.kept(context, arm, seed))
        dropped = Counter(record["reason"] for record in step.not_used(context, arm, seed))
        counts.append({"seed": seed.seed, "kept": kept, "dropped": dict(sorted(dropped.items()))})
    return counts


def _summary(
    step: CollectResults,
    context: StepContext,
    pool: Table,
    arms: Mapping[str, Any],
    hypotheses: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The numbers of the headline: the first teacher's arm against the baseline on the test rows."""
    tau, scores = step.confidence, [seed.first.scores.scores(context) for seed in step.seeds]

    def hcms(threshold: float) -> float:
        """HCMs in the pool, mean over seeds."""
        return float(np.mean([len(confident_errors(s, pool.y, threshold)) for s in scores]))

    arm = next(iter(step.taught), None)
    summary: dict[str, Any] = {"arm": arm, "pool_hcms": hcms(tau)}
    if summary["pool_hcms"] == 0:
        wrong = [s.max(axis=1)[s.argmax(axis=1) != pool.y] for s in scores]
        summary["most_confident_mistake"] = max((float(w.max()) for w in wrong if len(w)), default=None)
        lower = {threshold: hcms(threshold) for threshold in _LOWER}
        summary["hcms_at_lower_confidence"] = {str(t): count for t, count in lower.items() if count > 0}
    if arm is not None:
        summary["hypotheses"] = sum(h["arm"] == arm for h in hypotheses)
        summary |= headline_figures(arms, arm, tau)
    return summary
