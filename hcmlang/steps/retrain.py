"""Retrain the classifier with instances."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from hcmlang import classifiers
from hcmlang.classifiers.base import Classifier
from hcmlang.data.table import Table
from hcmlang.run.files import MODEL
from hcmlang.run.step import Needs, StepContext
from hcmlang.steps.base import InstancesStep, ModelStep, TableStep

#: The weight of the instances, and how other weights did that were tried.
_CHOICE = "choice.json"
#: A model, the weight of its instances, and the measure by which each weight was tried.
Choice: TypeAlias = tuple[Classifier, float, dict[str, float]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Retrain(ModelStep):
    """The classifier, trained on train rows and instances. It stays as it was if there are no instances, or no more than in the
    round before."""

    action: ClassVar[str] = "retrain"

    rows: TableStep
    model: ModelStep
    """The trained classifier, or the retrained one of the round before."""
    instances: InstancesStep
    earlier: InstancesStep | None
    """The instances of the round before."""
    seed: int
    start: Literal["scratch", "checkpoint"]
    weight: float = 1.0

    def needs(self) -> Needs:
        return Needs(self.classifier.accelerators(training=True))

    def run(self, context: StepContext) -> None:
        train, added = self.rows.table(context), self.schema.table(self.instances.instances(context))
        if self.earlier is not None and len(added) == len(self.earlier.instances(context)):
            before = context.folder(self.model)
            shutil.copytree(before / MODEL, context.out / MODEL)
            shutil.copyfile(before / _CHOICE, context.out / _CHOICE)
            return
        tried: dict[str, float] = {}
        if len(added):
            model, weight, tried = self.retrained(context, train, added)
        else:
            model, weight = self.model.load(context), self.weight
        self.save(model, context)
        choice = {"weight": weight, "area_under_risk_coverage": tried}
        (context.out / _CHOICE).write_text(json.dumps(choice, indent=1) + "\n", encoding="utf-8")

    def retrained(self, context: StepContext, train: Table, added: Table) -> Choice:
        return self.fit(context, train, added, self.weight), self.weight, {}

    def fit(self, context: StepContext, train: Table, added: Table, weight: float) -> Classifier:
        """A classifier trained on train rows and instances, from scratch or from where it was."""
        return classifiers.fit(
            self.classifier,
            train + added,
            seed=self.seed,
            weights=weights_of(train, added, weight),
            start=context.folder(self.model) / MODEL if self.start == "checkpoint" else None,
            progress=context.progress,
        )

    def weight_used(self, context: StepContext) -> float:
        """The weight of an instance in training."""
        choice = json.loads((context.folder(self) / _CHOICE).read_text(encoding="utf-8"))
        return float(choice["weight"])


def weights_of(train: Table, added: Table, weight: float) -> np.ndarray:
    """The weight of each row in the loss, float32, shape (rows,): 1 for train rows, `weight` for the instances behind them."""
    return np.concatenate([np.ones(len(train)), np.full(len(added), weight)]).astype(np.float32)
