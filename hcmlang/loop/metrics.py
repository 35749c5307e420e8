"""What metrics.json says: every arm on every set, the pool, the instances, and the numbers of the headline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from hcmlang.data.records import Instance, read_jsonl, read_records
from hcmlang.data.table import Table
from hcmlang.evaluation.calibration import temperature
from hcmlang.evaluation.comparison import Settings, compare, pairs_of
from hcmlang.evaluation.predictions import confident_errors
from hcmlang.loop.graph import TEST
from hcmlang.loop.history import history, of_round
from hcmlang.loop.work import INSTANCES, LEAKED, REJECTED, Work

#: Thresholds that are tried when a pool has no HCM, to tell the user what to lower the threshold to.
_LOWER = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.4)


def metrics(work: Work, pool: Table, sets: Mapping[str, Table], hypotheses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that metrics.json holds (docs/run-directory.md), as JSON-able data; the same for the same results."""
    config, temperatures = work.config, _temperatures(work)
    compared: dict[str, Any] = {name: _compared(work, name, table, temperatures) for name, table in sets.items()}
    return {
        "hcmlang": version("hcmlang"),
        "name": config["name"],
        "partial": config["partial"],
        "task": {"fields": config["fields"], "labels": config["labels"]},
        "confidence": config["confidence"],
        "seeds": config["seeds"],
        "arms": list(config["arms"]),
        "arm_of": config["arms"],
        "teachers": config["teachers"],
        "resamples": config["resamples"],
        "summary": _summary(work, pool, compared["test"]["arms"], hypotheses),
        "train": {"rows": len(work.table("train"))},
        "pool": _pool(work, pool),
        "instances": {arm: _instances(work, arm) for arm in config["arms"] if arm != "none"},
        "sets": compared,
        "rounds": {arm: history(work, arm, pool, sets[TEST]) for arm, last in config["rounds"].items() if last > 1},
    }


def taught(work: Work) -> list[str]:
    """The arms with instances of a teacher."""
    return [name for name, arm in work.config["arms"].items() if set(arm["from"]) & set(work.config["teachers"])]


def not_used(work: Work, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Every instance that was asked for and is not trained on: hypothesis and teacher, reason, detail, and its text if it has
    one."""
    for number in range(1, work.config["rounds"][arm] + 1):
        for source in work.config["arms"][arm]["from"]:
            folder = work.inputs.get(f"generate:{source}:{of_round(seed, arm, number)}")
            if folder is not None:
                yield from (record | {"teacher": source} for record in read_jsonl(folder / REJECTED))
        folder = work.inputs.get(f"select:{arm}:{seed}:{number}")
        if folder is not None:
            yield from read_jsonl(folder / REJECTED)


def kept_instances(work: Work, arm: str, seed: int) -> list[Instance]:
    """The instances that an arm's model was trained on."""
    folder = work.inputs.get(f"select:{arm}:{seed}:{work.config['rounds'][arm]}")
    return read_records(folder / INSTANCES, Instance) if folder is not None else []


def _compared(work: Work, name: str, table: Table, temperatures: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    config = work.config
    seeds = config["seeds"]
    scores = {arm: [work.scores(f"scores:{name}:{arm}:{seed}") for seed in seeds] for arm in config["arms"]}
    against = pairs_of(config["arms"], config["teachers"])
    settings = Settings(config["confidence"], tuple(config["thresholds"]), tuple(seeds), config["resamples"], against)
    with work.progress.task(f"intervals on {name}", config["resamples"]) as advance:
        return compare(name, table, scores, temperatures, settings, advance)


def _temperatures(work: Work) -> dict[str, list[float]]:
    """For each arm the temperature of each seed's model, fitted on the held-out train rows; empty without such rows."""
    config = work.config
    if f"held_out:{config['seeds'][0]}" not in work.inputs:
        return {}
    gold = {seed: work.table(f"held_out:{seed}").y for seed in config["seeds"]}
    return {
        arm: [temperature(work.scores(f"held_out_scores:{arm}:{seed}"), gold[seed]) for seed in config["seeds"]]
        for arm in config["arms"]
    }


def _pool(work: Work, pool: Table) -> dict[str, Any]:
    """HCMs of the pool by direction, for each seed."""
    labels, found = pool.labels, []
    for seed in work.config["seeds"]:
        scores = work.scores(f"pool_scores:{seed}")
        rows = confident_errors(scores, pool.y, work.config["confidence"])
        pairs = Counter((labels[pool.y[row]], labels[scores[row].argmax()]) for row in rows)
        directions = [{"gold": g, "predicted": p, "hcms": pairs[g, p]} for g, p in sorted(pairs)]
        leaked = len(read_jsonl(work.inputs[f"groups:{seed}"] / LEAKED))
        found.append({"seed": seed, "hcms": len(rows), "leaked": leaked, "directions": directions})
    return {"rows": len(pool), "crossfit": work.config["crossfit"], "seeds": found}


def _instances(work: Work, arm: str) -> list[dict[str, Any]]:
    """How many instances an arm was trained on, and how many were not used and why, for each seed."""
    counts = []
    for seed in work.config["seeds"]:
        kept = len(kept_instances(work, arm, seed))
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

    arm = next(iter(taught(work)), None)
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
