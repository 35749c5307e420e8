"""Steps by what they make. A class says how other steps read the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hcmlang import classifiers
from hcmlang.classifiers.base import Classifier
from hcmlang.data.leakage import EvaluationRows
from hcmlang.data.records import Group, Hypothesis, Instance, Probe, read_jsonl, read_records, write_jsonl
from hcmlang.data.table import Table
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.run.files import (
    GROUPS,
    HYPOTHESES,
    INSTANCES,
    LEAKED,
    MODEL,
    PROBES,
    REJECTED,
    SCORES,
    TABLE,
)
from hcmlang.run.step import Label, Needs, Step, StepContext
from hcmlang.spec.kinds import ClassifierKind


@dataclass(frozen=True)
class Schema:
    """The text columns and the labels of a task's rows."""

    fields: tuple[str, ...]
    labels: tuple[str, ...]

    def table(self, instances: Sequence[Instance]) -> Table:
        """Instances as rows of the task."""
        texts = [[instance.fields[name] for name in self.fields] for instance in instances]
        return Table.of(self.fields, self.labels, texts, [self.labels.index(i.label) for i in instances])


@dataclass(frozen=True)
class Round:
    """A place in a run. The first round looks for the mistakes of the trained classifier, and all arms share it. Each further
    round looks for the mistakes of one arm's model."""

    seed: int
    number: int = 1
    arm: str = ""

    def label(self, what: str, **where: str | int) -> Label:
        """The label of a step of this round."""
        own: dict[str, str | int] = {"arm": self.arm, "round": self.number} if self.number > 1 else {}
        return Label(what, tuple((where | own | {"seed": self.seed}).items()))


@dataclass(frozen=True, eq=False, kw_only=True)
class TableStep(Step):
    """Makes a table of labelled rows."""

    schema: Schema

    def table(self, context: StepContext) -> Table:
        return Table.read(context.folder(self) / TABLE, self.schema.fields, self.schema.labels)

    def write(self, table: Table, context: StepContext) -> None:
        table.write(context.out / TABLE)

    @property
    def file_size(self) -> int:
        """Bytes of the file that the rows come from; 0 if it is not known, or there is none."""
        return 0


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoresStep(Step):
    """Makes the probabilities of a table's rows."""

    def scores(self, context: StepContext) -> np.ndarray:
        """Probabilities, float32, shape (rows, labels). They stay in the file."""
        return np.asarray(np.load(context.folder(self) / SCORES, mmap_mode="r"))


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelStep(Step):
    """Makes a classifier."""

    classifier: ClassifierKind
    schema: Schema

    def needs(self) -> Needs:
        return Needs(self.classifier.accelerators(training=False))

    def load(self, context: StepContext) -> Classifier:
        return classifiers.load(self.classifier, context.folder(self) / MODEL, self.schema.labels)

    def save(self, model: Classifier, context: StepContext) -> None:
        folder = context.out / MODEL
        folder.mkdir()
        model.save(folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupsStep(Step):
    """Makes groups of confident mistakes."""

    def groups(self, context: StepContext) -> list[Group]:
        return read_records(context.folder(self) / GROUPS, Group)

    def leaked(self, context: StepContext) -> int:
        """How many confident mistakes repeat an evaluation row, and are in no group."""
        return len(read_jsonl(context.folder(self) / LEAKED))


@dataclass(frozen=True, eq=False, kw_only=True)
class HypothesesStep(Step):
    """Makes hypotheses about groups of mistakes."""

    def hypotheses(self, context: StepContext) -> list[Hypothesis]:
        return read_records(context.folder(self) / HYPOTHESES, Hypothesis)


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbesStep(Step):
    """Tests hypotheses."""

    def probes(self, context: StepContext) -> dict[str, Probe]:
        """The outcome for each hypothesis, by its id."""
        return {probe.hypothesis: probe for probe in read_records(context.folder(self) / PROBES, Probe)}


@dataclass(frozen=True, eq=False, kw_only=True)
class InstancesStep(Step):
    """Makes labelled instances, or selects among them."""

    def instances(self, context: StepContext) -> list[Instance]:
        return read_records(context.folder(self) / INSTANCES, Instance)

    def rejected(self, context: StepContext) -> list[dict[str, Any]]:
        """What was not written or not selected: hypothesis, reason, detail, and for instances their text, label and teacher."""
        return read_jsonl(context.folder(self) / REJECTED)


@dataclass(frozen=True)
class EvaluationSets:
    """The sets that are only evaluated, by name. Nothing is trained on them, and no teacher sees them. Texts that share at
    least the part `near_duplicate` of their word 3-grams are near-duplicates."""

    sets: Mapping[str, TableStep]
    near_duplicate: float

    def rows(self, context: StepContext, queries: Iterable[Sequence[str]] | None = None) -> EvaluationRows:
        """The rows of all sets. With `queries`, only what can resemble one of these texts is kept in memory."""
        return EvaluationRows(
            {name: step.table(context) for name, step in self.sets.items()}, self.near_duplicate, queries
        )


@dataclass(frozen=True)
class Mistakes:
    """The confident mistakes that a round looks at: groups of them, the pool, and its scores under the model."""

    pool: TableStep
    scores: ScoresStep
    model: ModelStep
    groups: GroupsStep
    evaluation: EvaluationSets
    seed: int
    round: int

    def shown_rows(self, context: StepContext) -> list[int]:
        """The rows of the pool that a teacher may see."""
        evaluation = self.evaluation.rows(context)
        return [
            row for row, text in enumerate(self.pool.table(context).texts()) if evaluation.revealed_by(text) is None
        ]

    def write_hypotheses(self, hypotheses: Iterable[Hypothesis], context: StepContext) -> None:
        """Write the hypotheses about them as the result of a step."""
        records = (replace(one, id=id_in_round(one.id, self.round)) for one in hypotheses)
        write_jsonl(context.out / HYPOTHESES, records)


def id_in_round(name: str, number: int) -> str:
    """The id of a group or hypothesis, which differs from those of earlier rounds."""
    return name if number == 1 else f"{name}-round-{number}"


def finite(scores: np.ndarray) -> np.ndarray:
    """The probabilities, if they are numbers."""
    if not np.isfinite(scores).all():
        message = "the classifier's probabilities are not numbers: its training diverged"
        hint = "lower `classifier.learning_rate`"
        raise DiagnosticError(Diagnostic("not-a-number", message, hint=hint))
    return scores
