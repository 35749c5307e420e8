"""Cross-fitting: predict rows with classifiers that were not trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hcmlang import classifiers
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.run.files import SCORES
from hcmlang.run.step import Label, Needs, StepContext
from hcmlang.spec.kinds import ClassifierKind
from hcmlang.steps.base import InstancesStep, ScoresStep, TableStep, finite
from hcmlang.steps.retrain import Retrain, weights_of

#: The numbers of a fold's rows.
_ROWS = "rows.npy"


@dataclass(frozen=True)
class Added:
    """Instances that a classifier was retrained with."""

    instances: InstancesStep
    model: Retrain


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictFold(ScoresStep):
    """Probabilities of the rows of one fold, from a classifier trained on the other rows: rows of a table, and the instances
    that were added to it.

    Raises :class:`DiagnosticError` if a label has fewer rows than there are folds.
    """

    action: ClassVar[str] = "fold"

    classifier: ClassifierKind
    rows: TableStep
    added: Added | None
    seed: int
    folds: int
    fold: int

    def needs(self) -> Needs:
        return Needs(self.classifier.accelerators(training=True))

    def run(self, context: StepContext) -> None:
        from sklearn.model_selection import StratifiedKFold

        table, weights = self.rows.table(context), None
        if self.added is not None:
            added = self.rows.schema.table(self.added.instances.instances(context))
            table, weights = table + added, weights_of(table, added, self.added.model.weight_used(context))
        smallest = np.bincount(table.y)[np.unique(table.y)].min()
        if smallest < self.folds:
            message = f"a label has only {smallest} train rows, too few for {self.folds} folds of cross-fitting"
            hint = "give `task.data` a pool, or lower `detect.folds`"
            raise DiagnosticError(Diagnostic("too-few-rows", message, hint=hint))
        split = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed).split(np.zeros(len(table)), table.y)
        seen, unseen = list(split)[self.fold]
        model = classifiers.fit(
            self.classifier,
            table.take(seen),
            seed=self.seed,
            weights=weights[seen] if weights is not None else None,
            progress=context.progress,
        )
        np.save(context.out / SCORES, finite(model.predict_proba(table.take(unseen), context.progress)))
        np.save(context.out / _ROWS, unseen)

    def row_numbers(self, context: StepContext) -> np.ndarray:
        return np.asarray(np.load(context.folder(self) / _ROWS))


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinFolds(ScoresStep):
    """Probabilities of all rows, from those of the folds."""

    action: ClassVar[str] = "unfold"

    folds: tuple[PredictFold, ...]

    def run(self, context: StepContext) -> None:
        of_folds = np.concatenate([fold.scores(context) for fold in self.folds])
        scores = np.empty_like(of_folds)
        scores[np.concatenate([fold.row_numbers(context) for fold in self.folds])] = of_folds
        np.save(context.out / SCORES, finite(scores))


def out_of_fold(
    label: Label, classifier: ClassifierKind, rows: TableStep, seed: int, folds: int, added: Added | None = None
) -> JoinFolds:
    """The step that predicts each row by a classifier that was not trained on it."""
    parts = (
        PredictFold(
            label=label.part("fold", n),
            classifier=classifier,
            rows=rows,
            added=added,
            seed=seed,
            folds=folds,
            fold=n,
        )
        for n in range(folds)
    )
    return JoinFolds(label=label, folds=tuple(parts))
