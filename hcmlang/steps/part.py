"""Split the train rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.hashing import derive_seed
from hcmlang.run.step import StepContext
from hcmlang.steps.base import TableStep


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainPart(TableStep):
    """The train rows that classifiers are trained on, or those that are kept for calibration. Both parts have similar shares of
    each label."""

    action: ClassVar[str] = "part"
    version: ClassVar[int] = 2

    rows: TableStep
    part: Literal["train", "calibration"]
    calibration_share: float
    seed: int

    def run(self, context: StepContext) -> None:
        from sklearn.model_selection import train_test_split

        table = self.rows.table(context)
        smallest = np.bincount(table.y)[np.unique(table.y)].min()
        size = max(round(self.calibration_share * len(table)), len(np.unique(table.y)))
        if smallest < 2:
            message = "a label has only one train row, so that none can be held out"
            raise DiagnosticError(Diagnostic("too-few-rows", message, hint="set `evaluate.held_out: 0`, or add rows"))
        seed = derive_seed("part", self.seed) % 2**32
        train, calibration = train_test_split(
            np.arange(len(table)), test_size=size, stratify=table.y, random_state=seed
        )
        self.write(table.take(np.sort(train if self.part == "train" else calibration)), context)
