"""Train the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hcmlang import classifiers
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps.base import ModelStep, TableStep


@dataclass(frozen=True, eq=False, kw_only=True)
class Train(ModelStep):
    """The classifier, trained on the train rows."""

    action: ClassVar[str] = "train"

    rows: TableStep
    seed: int

    def needs(self) -> Needs:
        return Needs(self.classifier.accelerators(training=True))

    def run(self, context: StepContext) -> None:
        table = self.rows.table(context)
        self.save(classifiers.fit(self.classifier, table, seed=self.seed, progress=context.progress), context)
