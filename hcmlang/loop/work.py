"""What a step's function is given, and how results are read from the folders of earlier steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.table import Table
from hcmlang.loop.desk import Desk
from hcmlang.progress import Progress
from hcmlang.spec.model import ClassifierConfig

TABLE = "table.arrow"
SCORES = "probabilities.npy"
MODEL = "model"
GROUPS = "groups.jsonl"
LEAKED = "leaked.jsonl"
HYPOTHESES = "hypotheses.jsonl"
PROBES = "probes.jsonl"
INSTANCES = "instances.jsonl"
REJECTED = "rejected.jsonl"


@dataclass(frozen=True)
class Work:
    """One step at work: its configuration and handles (:class:`hcmlang.loop.plan.Step`), the folders of its inputs by
    role, and the empty folder its result goes to."""

    config: Mapping[str, Any]
    inputs: Mapping[str, Path]
    handles: Mapping[str, Any]
    out: Path
    progress: Progress
    desk: Desk
    """Where engines come from."""

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def classifier(self) -> ClassifierConfig:
        return TypeAdapter(ClassifierConfig).validate_python(self.config["classifier"])

    def table(self, role: str) -> Table:
        """The rows that a `read` step wrote."""
        return Table.read(self.inputs[role] / TABLE, self.config["fields"], self.config["labels"])

    def held_out(self, near_duplicate: float, asked: Iterable[Sequence[str]] | None = None) -> EvaluationRows:
        """The rows that are only evaluated; what shares that part of its word 3-grams with one nearly repeats it. Where only
        some rows will be `asked` about, it takes little memory."""
        roles = [role for role in self.inputs if role.startswith("held_out:")]
        return EvaluationRows({role.partition(":")[2]: self.table(role) for role in roles}, near_duplicate, asked)

    def kept_for(self, asked: Iterable[Sequence[str]]) -> EvaluationRows:
        """The same at the near-duplicate threshold of the step, for rows that will be `asked` about."""
        return self.held_out(self.config["near_duplicate"], asked)

    def scores(self, role: str) -> np.ndarray:
        """The probabilities that steps such as `predict` wrote, float32, shape (rows, labels); they stay in the file."""
        return np.asarray(np.load(self.inputs[role] / SCORES, mmap_mode="r"))


@dataclass(frozen=True)
class Action:
    """A kind of step. A change of `version` makes earlier results of this kind obsolete; raise it with the code."""

    run: Callable[[Work], None]
    version: int = 1
