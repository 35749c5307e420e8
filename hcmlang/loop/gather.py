"""The last step: everything that a run found, in the files that people read (docs/run-directory.md)."""

from __future__ import annotations

import json
import platform
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hcmlang.data.records import Group, Hypothesis, Probe, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.loop.history import of_round, tested_after
from hcmlang.loop.metrics import kept_instances, metrics, not_used, taught
from hcmlang.loop.pool_map import MAP
from hcmlang.loop.work import GROUPS, HYPOTHESES, PROBES, Work
from hcmlang.statistics.measures import Outcome, most_confident
from hcmlang.statistics.measures import kept as kept_confident

METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
AUGMENTED = "augmented.parquet"
REJECTED_TABLE = "rejected.parquet"
VERSIONS = "versions.json"
_LIBRARIES = ("hcmlang", "torch", "transformers", "tokenizers", "scikit-learn", "llguidance", "numpy")
#: Rows of predictions that are written together.
_WRITTEN = 1 << 18
#: Rows and instances that are shown of a group or hypothesis.
_EXAMPLES = 5


def results(work: Work) -> None:
    """Write metrics, predictions, hypotheses, groups, kept and rejected instances, and what it was made with."""
    pool = work.table("pool")
    sets = {name: work.table(f"set:{name}") for name in work.config["sets"]}
    hypotheses = [record for one in _explained(work) for record in _hypotheses(work, *one, sets["test"])]
    write_jsonl(work.out / HYPOTHESES, hypotheses)
    write_jsonl(work.out / GROUPS, _groups(work, pool))
    pq.write_table(_augmented(work), work.out / AUGMENTED)
    pq.write_table(_rejected(work), work.out / REJECTED_TABLE)
    _predictions(work, sets)
    shutil.copyfile(work.inputs["map"] / MAP, work.out / MAP)
    _write_json(work, METRICS, metrics(work, pool, sets, hypotheses))
    versions = {"Python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
    _write_json(work, VERSIONS, versions)


def _write_json(work: Work, name: str, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    (work.out / name).write_text(text + "\n", encoding="utf-8")


def _taught(work: Work) -> list[tuple[str, int]]:
    """Arm and seed of everything that a teacher wrote, `generic` included. Of arms with the same instances the first stands
    for all."""
    first: dict[tuple[str, ...], str] = {}
    for name, arm in work.config["arms"].items():
        if {*work.config["teachers"], "generic"}.intersection(arm["from"]):
            # In further rounds, each arm has instances of its own.
            own = (name,) if work.config["rounds"][name] > 1 else ()
            first.setdefault((*arm["from"], *own), name)
    return [(arm, seed) for arm in first.values() for seed in work.config["seeds"]]


def _explained(work: Work) -> list[tuple[str, str, int, int]]:
    """Teacher, arm, seed and round of everything that was characterized. The first round is the same for all arms with a
    teacher; the first of these stands for all."""
    arms = {teacher: arm for arm in reversed(taught(work)) for teacher in work.config["arms"][arm]["from"]}
    places = [(teacher, arms[teacher], 1) for teacher in work.config["teachers"]]
    for arm in taught(work):
        numbers = range(2, work.config["rounds"][arm] + 1)
        places += [(teacher, arm, number) for number in numbers for teacher in work.config["teachers"]]
    found = [(teacher, arm, seed, number) for teacher, arm, number in places for seed in work.config["seeds"]]
    return [one for one in found if f"characterize:{one[0]}:{of_round(one[2], one[1], one[3])}" in work.inputs]


# ----------------------------------------------------------------------------------------------- groups and hypotheses


def _groups(work: Work, pool: Table) -> Iterator[dict[str, Any]]:
    """Each group with its most confident rows."""
    texts, labels, config = pool.texts(), pool.labels, work.config
    places = [(seed, "", 1) for seed in config["seeds"]]
    further = [(arm, number) for arm, last in config["rounds"].items() for number in range(2, last + 1)]
    places += [(seed, arm, number) for arm, number in further for seed in config["seeds"]]
    for seed, arm, number in places:
        scores = work.scores(f"pool_scores:{seed}" + (f":{arm}:{number - 1}" if number > 1 else ""))
        for group in read_records(work.inputs[f"groups:{of_round(seed, arm, number)}"] / GROUPS, Group):
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
            yield {"seed": seed, "round": number, "arm": arm or None, **vars(group), "examples": examples}


def _hypotheses(work: Work, teacher: str, arm: str, seed: int, number: int, test: Table) -> Iterator[dict[str, Any]]:
    """Each hypothesis with what became of it: its instances, and the test HCMs that its triggers point to."""
    none = Outcome.of(work.scores(f"scores:test:none:{seed}"), test.y)
    before, after = (
        Outcome.of(work.scores(tested_after(arm, seed, number, work.config["rounds"][arm])), test.y)
        for number in (number - 1, number)
    )
    count = kept_confident(none, work.config["confidence"])
    kept = kept_instances(work, arm, seed)
    not_kept = list(not_used(work, arm, seed))
    where = of_round(seed, arm, number)
    folder = work.inputs.get(f"probe:{teacher}:{where}")
    probes = {probe.hypothesis: vars(probe) for probe in read_records(folder / PROBES, Probe)} if folder else {}
    for hypothesis in read_records(work.inputs[f"characterize:{teacher}:{where}"] / HYPOTHESES, Hypothesis):
        whose = (teacher, hypothesis.id)
        own = [instance for instance in kept if (instance.teacher, instance.hypothesis) == whose]
        dropped = [record for record in not_kept if (record["teacher"], record["hypothesis"]) == whose]
        # Where the reason is the program's or a constraint's, there is no text, and the detail says which.
        details = {record["reason"]: record["detail"] for record in reversed(dropped) if "fields" not in record}
        yield {
            "seed": seed,
            "round": number,
            "arm": arm,
            **vars(hypothesis),
            "written": len(own) + sum("fields" in record for record in dropped),
            "kept": len(own),
            "dropped": dict(sorted(Counter(record["reason"] for record in dropped).items())),
            "not_written": dict(sorted(details.items())),
            "probe": probes.get(hypothesis.id),
            "examples": [{"fields": i.fields, "label": i.label} for i in own[:_EXAMPLES]],
            "test": _on_test(hypothesis, test, before, after, count),
        }


def _on_test(hypothesis: Hypothesis, test: Table, before: Outcome, after: Outcome, kept: int) -> dict[str, Any] | None:
    """Test rows of the hypothesis's gold label with one of its triggers, and the HCMs among them, before and after its round:
    the wrong ones of the `kept` most confident predictions; which of these are none any more (`fixed`), and which are new
    (`broken`), by their number from 0."""
    if not hypothesis.triggers:
        return None
    find, gold = find_any(hypothesis.triggers), test.labels.index(hypothesis.gold)
    fit = {i for i, text in enumerate(test.joined("\n")) if test.y[i] == gold and find(text)}
    wrong = []
    for outcome in (before, after):
        found = np.flatnonzero(outcome.wrong & most_confident(outcome, kept))
        wrong.append({int(row) for row in found} & fit)
    return {
        "rows": len(fit),
        "hcms_before": len(wrong[0]),
        "hcms_after": len(wrong[1]),
        "fixed": sorted(wrong[0] - wrong[1]),
        "broken": sorted(wrong[1] - wrong[0]),
    }


# ------------------------------------------------------------------------------------------------------------- tables


def _augmented(work: Work) -> pa.Table:
    """The instances that were trained on."""
    rows = [(arm, seed, instance) for arm, seed in _taught(work) for instance in kept_instances(work, arm, seed)]
    return _beside(
        {name: [i.fields[name] for _, _, i in rows] for name in work.config["fields"]},
        {
            "label": pa.array([i.label for _, _, i in rows], pa.string()),
            "arm": pa.array([arm for arm, _, _ in rows], pa.string()),
            "seed": pa.array([seed for _, seed, _ in rows], pa.int64()),
            "teacher": pa.array([i.teacher or None for _, _, i in rows], pa.string()),
            "hypothesis_id": pa.array([i.hypothesis or None for _, _, i in rows], pa.string()),
            "program": pa.array([i.program for _, _, i in rows], pa.string()),
            "guarantees": pa.array([list(i.guarantees) for _, _, i in rows], pa.list_(pa.string())),
        },
    )


def _rejected(work: Work) -> pa.Table:
    """The instances that were not trained on, and why; without text where none was written."""
    rows = [(arm, seed, record) for arm, seed in _taught(work) for record in not_used(work, arm, seed)]
    return _beside(
        {name: [record.get("fields", {}).get(name) for _, _, record in rows] for name in work.config["fields"]},
        {
            "label": pa.array([record.get("label") for _, _, record in rows], pa.string()),
            "reason": pa.array([record["reason"] for _, _, record in rows], pa.string()),
            "detail": pa.array([record["detail"] for _, _, record in rows], pa.string()),
            "arm": pa.array([arm for arm, _, _ in rows], pa.string()),
            "seed": pa.array([seed for _, seed, _ in rows], pa.int64()),
            "teacher": pa.array([record["teacher"] or None for _, _, record in rows], pa.string()),
            "hypothesis_id": pa.array([record["hypothesis"] or None for _, _, record in rows], pa.string()),
        },
    )


def _beside(texts: Mapping[str, Sequence[str | None]], about: Mapping[str, pa.Array]) -> pa.Table:
    """Text columns and columns about them; one of these that has a text column's name gets an underscore."""
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return pa.table(columns | {f"{name}_" if name in texts else name: values for name, values in about.items()})


def _predictions(work: Work, sets: Mapping[str, Table]) -> None:
    """One row for each evaluated row, arm and seed, written as they are put together."""
    labels = work.config["labels"]
    named = [("set", pa.string()), ("arm", pa.string()), ("seed", pa.int64()), ("row", pa.int64())]
    told = [("gold", pa.string()), ("predicted", pa.string()), ("confidence", pa.float32())]
    form = pa.schema([*named, *told, *((f"p:{label}", pa.float32()) for label in labels)])
    with pq.ParquetWriter(work.out / PREDICTIONS, form) as file:
        for name, table in sets.items():
            for arm in work.config["arms"]:
                for seed in work.config["seeds"]:
                    scores = work.scores(f"scores:{name}:{arm}:{seed}")
                    for begin in range(0, len(table), _WRITTEN):
                        end = min(begin + _WRITTEN, len(table))
                        own = _told(scores[begin:end], table.y[begin:end], labels)
                        where = [
                            pa.repeat(pa.scalar(value, kind), end - begin)
                            for value, (_, kind) in zip((name, arm, seed), named, strict=False)
                        ]
                        columns = [*where, pa.array(np.arange(begin, end)), *own]
                        file.write_table(pa.table(columns, schema=form))


def _told(scores: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> list[pa.Array]:
    """Columns of some rows: gold label, predicted label, its confidence, and the probability of each label."""
    names = pa.array(labels, pa.string())
    probabilities = [pa.array(np.ascontiguousarray(scores[:, number])) for number in range(len(labels))]
    confidence = pa.array(scores.max(axis=1))
    return [names.take(pa.array(gold)), names.take(pa.array(scores.argmax(axis=1))), confidence, *probabilities]
