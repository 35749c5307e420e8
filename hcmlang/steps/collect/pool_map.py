"""A map of the pool: where the confident mistakes are, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hcmlang.data.table import Table
from hcmlang.evaluation.predictions import Predictions, at_least, confident_errors
from hcmlang.hashing import derive_seed
from hcmlang.run.files import MAP
from hcmlang.run.step import Needs, Step, StepContext
from hcmlang.steps.base import EvaluationSets, ModelStep, ScoresStep, TableStep

#: HCMs on the map, the most confident ones before and after, and other rows around them.
_HCMS = 300
_OTHERS = 900


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolMap(Step):
    """Coordinates for HCMs of the pool and a sample of its other rows: the first two principal components of the trained
    classifier's embedding. Only HCMs have their texts, and none that repeats an evaluation row."""

    action: ClassVar[str] = "map"

    pool: TableStep
    before: ScoresStep
    after: ScoresStep | None
    model: ModelStep
    evaluation: EvaluationSets
    confidence: float
    seed: int

    def needs(self) -> Needs:
        return Needs(self.model.classifier.accelerators(training=False))

    def file(self, context: StepContext) -> Path:
        return context.folder(self) / MAP

    def run(self, context: StepContext) -> None:
        pool, before = self.pool.table(context), self.before.scores(context)
        after = self.after.scores(context) if self.after is not None else None
        tau = self.confidence
        hcms = [confident_errors(scores, pool.y, tau)[:_HCMS] for scores in (before, after) if scores is not None]
        shown = np.unique(np.concatenate(hcms)).astype(np.int64)
        others = np.setdiff1d(np.arange(len(pool)), shown)
        random = np.random.default_rng(derive_seed("map", self.seed))
        rows = np.sort(np.concatenate([shown, random.permutation(others)[:_OTHERS]]))
        places = self._plane(context, pool.take(rows))
        is_hcm = [_hcm(scores, pool.y, tau)[rows] if scores is not None else None for scores in (before, after)]
        texts = pool.texts()
        evaluation = self.evaluation.rows(context, (texts[row] for row in shown))
        with_text = {int(row) for row in shown if evaluation.revealed_by(texts[row]) is None}
        labels = np.array(pool.labels, dtype=object)
        columns = {
            name: pa.array([column[row] if row in with_text else None for row in rows], pa.string())
            for name, column in zip(pool.fields, pool.columns, strict=True)
        }
        about = {
            "row": pa.array(rows, pa.int64()),
            "x": pa.array(places[:, 0], pa.float32()),
            "y": pa.array(places[:, 1], pa.float32()),
            "gold": pa.array(labels[pool.y[rows]], pa.string()),
            "predicted": pa.array(labels[before[rows].argmax(axis=1)], pa.string()),
            "confidence": pa.array(before[rows].max(axis=1), pa.float32()),
            "hcm_before": pa.array(is_hcm[0], pa.bool_()),
            "hcm_after": pa.array(is_hcm[1] if is_hcm[1] is not None else [None] * len(rows), pa.bool_()),
        }
        columns |= {f"{name}_" if name in columns else name: values for name, values in about.items()}
        pq.write_table(pa.table(columns), context.out / MAP)

    def _plane(self, context: StepContext, rows: Table) -> np.ndarray:
        """Two coordinates for each row, shape (rows, 2)."""
        from sklearn.decomposition import PCA

        vectors = self.model.load(context).embed(rows, context.progress).astype(np.float64)
        plane = np.zeros((len(rows), 2))
        size = min(2, *vectors.shape)
        if size and len(rows) > 1:
            plane[:, :size] = PCA(size, svd_solver="full").fit_transform(vectors)
        return plane


def _hcm(scores: np.ndarray, gold: np.ndarray, tau: float) -> np.ndarray:
    outcome = Predictions(scores, gold)
    return np.asarray(outcome.wrong & at_least(outcome.confidence, tau))
