"""The results of a finished run, read from its run directory."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hcmlang.data.records import read_jsonl
from hcmlang.run.files import (
    AUGMENTED,
    GROUPS,
    HYPOTHESES,
    MAP,
    METRICS,
    PREDICTIONS,
    REJECTED_TABLE,
    SPEC,
    VERSIONS,
)


class Results:
    """The files of a run directory (docs/run-directory.md). Each is read when it is first used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def metrics(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / METRICS).read_text(encoding="utf-8"))
        return loaded

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of Python and of the libraries that made the run."""
        loaded: dict[str, str] = json.loads((self.folder / VERSIONS).read_text(encoding="utf-8"))
        return loaded

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec with all defaults written out."""
        loaded: dict[str, Any] = yaml.safe_load((self.folder / SPEC).read_text(encoding="utf-8"))
        return loaded

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
