"""The last step: everything that a run found, in the files that people read (docs/run-directory.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hcmlang.data.records import Group, Hypothesis, Instance, read_jsonl, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.hashing import derive_seed
from hcmlang.lang.evaluate import find_phrase
from hcmlang.loop.detect import confident_errors
from hcmlang.loop.intervals import intervals
from hcmlang.loop.measures import Outcome, mean_of, measure
from hcmlang.loop.work import GROUPS, HYPOTHESES, INSTANCES, REJECTED, Work

METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
AUGMENTED = "augmented.parquet"
REJECTED_TABLE = "rejected.parquet"
#: Rows and instances that are shown of a group or hypothesis.
_EXAMPLES = 5
#: Confidences that are tried when a pool has no HCM, to tell the user what to lower the threshold to.
_LOWER = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55)


def results(work: Work) -> None:
    """Write metrics, predictions, hypotheses, groups, kept and rejected instances."""
    hypotheses = [record for arm in work.config["teachers"] for record in _hypotheses(work, arm)]
    write_jsonl(work.out / HYPOTHESES, hypotheses)
    write_jsonl(work.out / GROUPS, _groups(work))
    pq.write_table(_augmented(work), work.out / AUGMENTED)
    pq.write_table(_rejected(work), work.out / REJECTED_TABLE)
    pq.write_table(_predictions(work), work.out / PREDICTIONS)
    metrics = json.dumps(_metrics(work, hypotheses), indent=1, ensure_ascii=False)
    (work.out / METRICS).write_text(metrics + "\n", encoding="utf-8")


def _taught(work: Work) -> list[tuple[str, int]]:
    """Arm and seed of everything that a teacher did."""
    arms = [arm for arm in work.config["arms"] if arm in work.config["teachers"]]
    return [(arm, seed) for arm in arms for seed in work.config["seeds"]]


# -------------------------------------------------------------------------------------------------------------- metrics


def _metrics(work: Work, hypotheses: list[dict[str, Any]]) -> dict[str, Any]:
    config = work.config
    sets = {name: {"rows": len(work.table(f"set:{name}")), "arms": _arms(work, name)} for name in config["sets"]}
    return {
        "hcmlang": version("hcmlang"),
        "name": config["name"],
        "task": {"fields": config["fields"], "labels": config["labels"]},
        "confidence": config["confidence"],
        "seeds": config["seeds"],
        "arms": config["arms"],
        "train": {"rows": len(work.table("train"))},
        "pool": _pool(work),
        "instances": {arm: _instance_counts(work, arm) for arm in config["arms"] if arm != "none"},
        "sets": sets,
        "summary": _summary(work, sets, hypotheses),
    }


def _arms(work: Work, name: str) -> dict[str, Any]:
    """The measures of every arm on a set of rows."""
    config, table = work.config, work.table(f"set:{name}")
    tau = config["confidence"]

    def scores(arm: str) -> list[np.ndarray]:
        return [work.scores(f"scores:{name}:{arm}:{seed}") for seed in config["seeds"]]

    baseline, found = scores("none"), {}
    for arm in config["arms"]:
        own = scores(arm)
        seeds = [measure(s, table.y, b, config["thresholds"], tau) for s, b in zip(own, baseline, strict=True)]
        found[arm] = {"mean": mean_of(seeds), "seeds": seeds}
        if arm == "none":
            continue
        with work.progress.task(f"intervals for {arm} on {name}"):
            found[arm]["difference"] = _difference(
                mean_of(seeds),
                found["none"]["mean"],
                tau,
                intervals(
                    [Outcome.of(s, table.y) for s in own],
                    [Outcome.of(b, table.y) for b in baseline],
                    tau,
                    config["resamples"],
                    derive_seed("bootstrap", name),
                ),
            )
    return found


def _difference(
    arm: dict[str, Any], none: dict[str, Any], tau: float, found: dict[str, tuple[float, float]] | None
) -> dict[str, dict[str, float | None]]:
    """Arm minus baseline, with the ends of the 95% interval; None for both where one seed gives no interval."""
    values = {
        "accuracy": arm["accuracy"] - none["accuracy"],
        "hcms": arm["hcms"][f"{tau:g}"] - none["hcms"][f"{tau:g}"],
        "hcms_at_matched_coverage": arm["hcms_at_matched_coverage"] - none["hcms_at_matched_coverage"],
    }
    ends = {name: (None, None) if found is None else found[name] for name in values}
    return {name: {"mean": values[name], "low": ends[name][0], "high": ends[name][1]} for name in values}


def _pool(work: Work) -> dict[str, Any]:
    """HCMs of the pool by direction, for each seed."""
    pool, labels = work.table("pool"), work.config["labels"]
    found = []
    for seed in work.config["seeds"]:
        scores = work.scores(f"pool_scores:{seed}")
        rows = confident_errors(scores, pool.y, work.config["confidence"])
        directions = Counter(f"{labels[pool.y[row]]} taken for {labels[scores[row].argmax()]}" for row in rows)
        found.append({"seed": seed, "hcms": len(rows), "directions": dict(sorted(directions.items()))})
    return {"rows": len(pool), "crossfit": work.config["crossfit"], "seeds": found}


def _instance_counts(work: Work, arm: str) -> list[dict[str, Any]]:
    counts = []
    for seed in work.config["seeds"]:
        kept = len(read_jsonl(work.inputs[f"select:{arm}:{seed}"] / INSTANCES))
        dropped = Counter(record["reason"] for record in _dropped(work, arm, seed))
        counts.append({"seed": seed, "kept": kept, "dropped": dict(sorted(dropped.items()))})
    return counts


def _summary(work: Work, sets: dict[str, Any], hypotheses: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of the headline: the first teacher's arm against the baseline on the test rows."""
    arms, tau = sets["test"]["arms"], work.config["confidence"]
    arm = next((name for name in work.config["arms"] if name in work.config["teachers"]), None)
    found = mean_of([float(len(_pool_errors(work, seed, tau))) for seed in work.config["seeds"]])
    summary: dict[str, Any] = {"arm": arm, "pool_hcms": found, "hypotheses": len(hypotheses)}
    if found == 0:
        lower = {
            f"{t:g}": mean_of([float(len(_pool_errors(work, s, t))) for s in work.config["seeds"]]) for t in _LOWER
        }
        summary["hcms_at_lower_confidence"] = {t: n for t, n in lower.items() if float(t) < tau and n > 0}
    if arm is not None:
        for name in ("hcms_at_matched_coverage", "accuracy"):
            before, after = arms["none"]["mean"][name], arms[arm]["mean"][name]
            summary[name] = {"before": before, "after": after, **arms[arm]["difference"][name]}
    return summary


def _pool_errors(work: Work, seed: int, tau: float) -> np.ndarray:
    return confident_errors(work.scores(f"pool_scores:{seed}"), work.table("pool").y, tau)


# ----------------------------------------------------------------------------------------------- groups and hypotheses


def _groups(work: Work) -> Iterator[dict[str, Any]]:
    """Each group with its most confident rows."""
    pool, labels = work.table("pool"), work.config["labels"]
    texts = pool.texts()
    for seed in work.config["seeds"]:
        scores = work.scores(f"pool_scores:{seed}")
        for group in read_records(work.inputs[f"groups:{seed}"] / GROUPS, Group):
            examples = [
                {
                    "row": row,
                    "fields": dict(zip(pool.fields, texts[row], strict=True)),
                    "gold": labels[pool.y[row]],
                    "predicted": labels[scores[row].argmax()],
                    "confidence": round(float(scores[row].max()), 4),
                }
                for row in group.rows[:_EXAMPLES]
            ]
            yield {"seed": seed, **vars(group), "examples": examples}


def _hypotheses(work: Work, arm: str) -> Iterator[dict[str, Any]]:
    """Each hypothesis with what became of it: its instances, and the test HCMs that its triggers point to."""
    if arm not in work.config["arms"]:
        return
    test = work.table("set:test")
    for seed in work.config["seeds"]:
        before, after = (work.scores(f"scores:test:{name}:{seed}") for name in ("none", arm))
        kept = read_records(work.inputs[f"select:{arm}:{seed}"] / INSTANCES, Instance)
        dropped = list(_dropped(work, arm, seed))
        for hypothesis in read_records(work.inputs[f"characterize:{arm}:{seed}"] / HYPOTHESES, Hypothesis):
            own = [instance for instance in kept if instance.hypothesis == hypothesis.id]
            reasons = Counter(record["reason"] for record in dropped if record["hypothesis"] == hypothesis.id)
            yield {
                "seed": seed,
                "arm": arm,
                **vars(hypothesis),
                "kept": len(own),
                "dropped": dict(sorted(reasons.items())),
                "examples": [{"fields": i.fields, "label": i.label} for i in own[:_EXAMPLES]],
                "test": _on_test(hypothesis, test, before, after, work.config["confidence"]),
            }


def _on_test(
    hypothesis: Hypothesis, test: Table, before: np.ndarray, after: np.ndarray, tau: float
) -> dict[str, int] | None:
    """Test rows of the hypothesis's gold label with one of its triggers, and the HCMs among them."""
    if not hypothesis.triggers:
        return None
    finds = [find_phrase(trigger) for trigger in hypothesis.triggers]
    gold = test.labels.index(hypothesis.gold)
    rows = [i for i, text in enumerate(test.joined("\n")) if test.y[i] == gold and any(find(text) for find in finds)]
    fit = test.take(rows).y
    counts = [len(confident_errors(scores[rows], fit, tau)) if rows else 0 for scores in (before, after)]
    return {"rows": len(rows), "hcms_before": counts[0], "hcms_after": counts[1]}


def _dropped(work: Work, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Every instance that was asked for and is not trained on."""
    for role in ("generate", "select"):
        folder = work.inputs.get(f"{role}:{arm}:{seed}")
        if folder is not None and (folder / REJECTED).is_file():
            yield from read_jsonl(folder / REJECTED)


# --------------------------------------------------------------------------------------------------------------- tables


def _augmented(work: Work) -> pa.Table:
    fields = work.config["fields"]
    rows = [
        (arm, seed, instance)
        for arm, seed in _taught(work)
        for instance in read_records(work.inputs[f"select:{arm}:{seed}"] / INSTANCES, Instance)
    ]
    columns: dict[str, pa.Array] = {
        name: pa.array([instance.fields[name] for _, _, instance in rows], pa.string()) for name in fields
    }
    return pa.table(
        {
            **columns,
            "label": pa.array([instance.label for _, _, instance in rows], pa.string()),
            "arm": pa.array([arm for arm, _, _ in rows], pa.string()),
            "seed": pa.array([seed for _, seed, _ in rows], pa.int64()),
            "hypothesis": pa.array([instance.hypothesis for _, _, instance in rows], pa.string()),
            "guarantees": pa.array([list(instance.guarantees) for _, _, instance in rows], pa.list_(pa.string())),
        }
    )


def _rejected(work: Work) -> pa.Table:
    rows = [(arm, seed, record) for arm, seed in _taught(work) for record in _dropped(work, arm, seed)]
    names = ("hypothesis", "reason", "detail", "label")
    texts = {
        name: pa.array([record.get("fields", {}).get(name) for _, _, record in rows], pa.string())
        for name in work.config["fields"]
    }
    return pa.table(
        {
            **texts,
            **{name: pa.array([record.get(name) for _, _, record in rows], pa.string()) for name in names},
            "arm": pa.array([arm for arm, _, _ in rows], pa.string()),
            "seed": pa.array([seed for _, seed, _ in rows], pa.int64()),
        }
    )


def _predictions(work: Work) -> pa.Table:
    """One row for each evaluated row, arm and seed."""
    labels = np.array(work.config["labels"], dtype=object)
    parts = []
    for name in work.config["sets"]:
        gold = work.table(f"set:{name}").y
        for arm in work.config["arms"]:
            for seed in work.config["seeds"]:
                scores = work.scores(f"scores:{name}:{arm}:{seed}")
                count = len(gold)
                parts.append(
                    pa.table(
                        {
                            "set": pa.array([name] * count, pa.string()),
                            "arm": pa.array([arm] * count, pa.string()),
                            "seed": pa.array([seed] * count, pa.int64()),
                            "row": pa.array(range(count), pa.int64()),
                            "gold": pa.array(labels[gold], pa.string()),
                            "predicted": pa.array(labels[scores.argmax(axis=1)], pa.string()),
                            "confidence": pa.array(scores.max(axis=1), pa.float32()),
                        }
                    )
                )
    return pa.concat_tables(parts)
