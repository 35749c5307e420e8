"""A finished run, read from the files of its run directory."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from hcmlang.data.records import read_jsonl
from hcmlang.evaluation.predictions import Predictions
from hcmlang.run.files import AUGMENTED, GROUPS, HYPOTHESES, MAP, METRICS, PREDICTIONS, REJECTED_TABLE, SPEC, VERSIONS


class Results:
    """The files of a run directory (docs/run-directory.md), each read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def metrics(self) -> dict[str, Any]:
        return self._json(METRICS)

    @cached_property
    def versions(self) -> dict[str, str]:
        """The versions of Python and of the libraries that made the run."""
        return self._json(VERSIONS)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec with all defaults written out."""
        return dict(yaml.safe_load((self.folder / SPEC).read_text(encoding="utf-8")))

    @cached_property
    def hypotheses(self) -> list[dict[str, Any]]:
        return read_jsonl(self.folder / HYPOTHESES)

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        return read_jsonl(self.folder / GROUPS)

    @cached_property
    def augmented(self) -> pa.Table:
        return pq.read_table(self.folder / AUGMENTED)

    @cached_property
    def rejected(self) -> pa.Table:
        return pq.read_table(self.folder / REJECTED_TABLE)

    @cached_property
    def pool_map(self) -> pa.Table:
        return pq.read_table(self.folder / MAP)

    @cached_property
    def predictions(self) -> pa.Table:
        return pq.read_table(self.folder / PREDICTIONS)

    def _json(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))

    def predicted(self, name: str, arm: str) -> list[Predictions]:
        """The predictions of an arm on the rows of a set in their order, for each seed."""
        table, labels = self.predictions, self.metrics["task"]["labels"]
        own = table.filter(pc.and_(pc.equal(table["set"], name), pc.equal(table["arm"], arm)))
        seeds = []
        for seed in self.metrics["seeds"]:
            rows = own.filter(pc.equal(own["seed"], seed)).sort_by("row")
            scores = np.column_stack([rows[f"p:{label}"].to_numpy() for label in labels])
            gold = pc.index_in(rows["gold"], pa.array(labels)).to_numpy()
            seeds.append(Predictions(scores, gold))
        return seeds
