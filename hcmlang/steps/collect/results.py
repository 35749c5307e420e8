"""Collect the results of a run in the files that people read (docs/run-directory.md)."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

import pyarrow.parquet as pq

from hcmlang.data.records import Instance, write_jsonl
from hcmlang.run.files import AUGMENTED, GROUPS, HYPOTHESES, MAP, METRICS, REJECTED_TABLE, VERSIONS
from hcmlang.run.step import Step, StepContext
from hcmlang.steps.base import Schema, TableStep
from hcmlang.steps.collect import hypotheses, tables
from hcmlang.steps.collect.metrics import metrics
from hcmlang.steps.collect.parts import SeedSteps
from hcmlang.steps.collect.pool_map import PoolMap

_LIBRARIES = ("hcmlang", "torch", "transformers", "tokenizers", "scikit-learn", "llguidance", "numpy")


@dataclass(frozen=True)
class ArmSettings:
    """Where an arm's instances come from, and its mitigation method."""

    sources: tuple[str, ...]
    method: str


@dataclass(frozen=True, eq=False, kw_only=True)
class CollectResults(Step):
    """The last step. It writes metrics, predictions, hypotheses, groups, kept and rejected instances, and the versions of
    libraries."""

    action: ClassVar[str] = "results"
    version: ClassVar[int] = 6

    schema: Schema
    name: str
    arms: Mapping[str, ArmSettings]
    teachers: tuple[str, ...]
    confidence: float
    thresholds: tuple[float, ...]
    resamples: int
    measures: tuple[str, ...]
    """The names of all registered measures, so that a new one is computed."""
    crossfit: bool
    no_gain_for: int | None
    partial: str
    train: TableStep
    pool: TableStep
    sets: Mapping[str, TableStep]
    seeds: tuple[SeedSteps, ...]
    map: PoolMap

    def run(self, context: StepContext) -> None:
        pool = self.pool.table(context)
        sets = {name: step.table(context) for name, step in self.sets.items()}
        explained = list(hypotheses.explained(self, context, sets["test"]))
        write_jsonl(context.out / HYPOTHESES, explained)
        write_jsonl(context.out / GROUPS, hypotheses.groups(self, context, pool))
        pq.write_table(tables.augmented(self, context), context.out / AUGMENTED)
        pq.write_table(tables.rejected(self, context), context.out / REJECTED_TABLE)
        tables.write_predictions(self, context, sets)
        shutil.copyfile(self.map.file(context), context.out / MAP)
        _write_json(context, METRICS, metrics(self, context, pool, sets, explained))
        versions = {"Python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
        _write_json(context, VERSIONS, versions)

    @property
    def taught(self) -> list[str]:
        """The arms with instances of a teacher."""
        return [name for name, arm in self.arms.items() if set(arm.sources) & set(self.teachers)]

    def last_round(self, arm: str) -> int:
        """The number of an arm's rounds."""
        return 1 + len(self.seeds[0].arms[arm].further)

    def kept(self, context: StepContext, arm: str, seed: SeedSteps) -> list[Instance]:
        """The instances that an arm's model was trained on."""
        selected = seed.arms[arm].selected
        return selected[-1].instances(context) if selected else []

    def not_used(self, context: StepContext, arm: str, seed: SeedSteps) -> Iterator[dict[str, Any]]:
        """Every instance that was requested but not trained on: hypothesis, teacher, reason, detail, and its text if it has
        one."""
        for number, selected in enumerate(seed.arms[arm].selected, start=1):
            made = seed.round(arm, number).sources
            for source in self.arms[arm].sources:
                # Instances without hypotheses are rows of the data: none of them is refused before the selection.
                if source in made and made[source].hypotheses is not None:
                    for record in made[source].instances.rejected(context):
                        yield record | {"teacher": source}
            yield from selected.rejected(context)


def _write_json(context: StepContext, name: str, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    (context.out / name).write_text(text + "\n", encoding="utf-8")
