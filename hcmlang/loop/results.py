"""A finished run, read back from the files of its run directory."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hcmlang.data.records import read_jsonl
from hcmlang.loop.gather import AUGMENTED, METRICS, PREDICTIONS, REJECTED_TABLE, VERSIONS
from hcmlang.loop.pool_map import MAP
from hcmlang.loop.publish import SPEC
from hcmlang.loop.work import GROUPS, HYPOTHESES

__all__ = ["METRICS", "Results"]


class Results:
    """The files of a run directory, each read when it is first asked for; docs/run-directory.md says what is in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def metrics(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / METRICS).read_text(encoding="utf-8"))
        return loaded

    @cached_property
    def versions(self) -> dict[str, str]:
        """Python and the libraries that the run was made with."""
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
