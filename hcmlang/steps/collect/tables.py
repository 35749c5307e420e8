"""The tables of a run: instances that were trained on, those that were not, and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hcmlang.data.table import Table
from hcmlang.run.files import PREDICTIONS
from hcmlang.run.step import StepContext
from hcmlang.steps.collect.parts import SeedSteps

if TYPE_CHECKING:
    from hcmlang.steps.collect.results import CollectResults

#: Rows of predictions that are written together.
_BLOCK = 1 << 18


def augmented(step: CollectResults, context: StepContext) -> pa.Table:
    """The instances that were trained on."""
    rows = [(arm, seed.seed, one) for arm, seed in _written(step) for one in step.kept(context, arm, seed)]
    return _beside(
        {name: [i.fields[name] for _, _, i in rows] for name in step.schema.fields},
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


def rejected(step: CollectResults, context: StepContext) -> pa.Table:
    """The instances that were not trained on, and why; without a text if none was written."""
    rows = [(arm, seed.seed, one) for arm, seed in _written(step) for one in step.not_used(context, arm, seed)]
    return _beside(
        {name: [record.get("fields", {}).get(name) for _, _, record in rows] for name in step.schema.fields},
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


def _written(step: CollectResults) -> list[tuple[str, SeedSteps]]:
    """Arm and seed of all instances that a teacher wrote, those of `generic` included. The first of several arms with the same
    instances stands for all."""
    first: dict[tuple[str, ...], str] = {}
    for name, arm in step.arms.items():
        if {*step.teachers, "generic"}.intersection(arm.sources):
            # In further rounds, each arm has its own instances.
            own = (name,) if step.last_round(name) > 1 else ()
            first.setdefault((*arm.sources, *own), name)
    return [(arm, seed) for arm in first.values() for seed in step.seeds]


def _beside(texts: Mapping[str, Sequence[str | None]], about: Mapping[str, pa.Array]) -> pa.Table:
    """Text columns, and columns about them. If a name occurs in both, the latter gets an underscore."""
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return pa.table(columns | {f"{name}_" if name in texts else name: values for name, values in about.items()})


def write_predictions(step: CollectResults, context: StepContext, sets: Mapping[str, Table]) -> None:
    """Write one row for each evaluation row, arm and seed, a block at a time."""
    labels = step.schema.labels
    where = [("set", pa.string()), ("arm", pa.string()), ("seed", pa.int64()), ("row", pa.int64())]
    predicted = [("gold", pa.string()), ("predicted", pa.string()), ("confidence", pa.float32())]
    schema = pa.schema([*where, *predicted, *((f"p:{label}", pa.float32()) for label in labels)])
    with pq.ParquetWriter(context.out / PREDICTIONS, schema) as file:
        for name, table in sets.items():
            for arm in step.arms:
                for seed in step.seeds:
                    scores = seed.arms[arm].sets[name].scores(context)
                    for begin in range(0, len(table), _BLOCK):
                        end = min(begin + _BLOCK, len(table))
                        constants = [
                            pa.repeat(pa.scalar(value, kind), end - begin)
                            for value, (_, kind) in zip((name, arm, seed.seed), where, strict=False)
                        ]
                        own = _predictions(scores[begin:end], table.y[begin:end], labels)
                        columns = [*constants, pa.array(np.arange(begin, end)), *own]
                        file.write_table(pa.table(columns, schema=schema))


def _predictions(scores: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> list[pa.Array]:
    """Columns of some rows: gold label, predicted label, its confidence, and the probability of each label."""
    names = pa.array(labels, pa.string())
    probabilities = [pa.array(np.ascontiguousarray(scores[:, number])) for number in range(len(labels))]
    confidence = pa.array(scores.max(axis=1))
    return [names.take(pa.array(gold)), names.take(pa.array(scores.argmax(axis=1))), confidence, *probabilities]
