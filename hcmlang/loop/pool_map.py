"""A map of the pool: where in it the confident mistakes lie, before and after."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hcmlang import classifiers
from hcmlang.hashing import derive_seed
from hcmlang.loop.detect import confident_errors
from hcmlang.loop.work import MODEL, Work
from hcmlang.statistics.measures import Outcome, at_least

MAP = "map.parquet"
#: HCMs on the map, the most confident ones, before and after each; and other rows around them.
_HCMS = 300
_OTHERS = 900


def pool_map(work: Work) -> None:
    """A place in the plane for HCMs of the pool and a sample of its other rows: the first two principal components of the
    trained classifier's embedding. Only HCMs have their texts with them, and none that repeats a row kept for evaluation."""
    pool, before = work.table("pool"), work.scores("before")
    after = work.scores("after") if "after" in work.inputs else None
    tau = work.config["confidence"]
    hcms = [confident_errors(scores, pool.y, tau)[:_HCMS] for scores in (before, after) if scores is not None]
    shown = np.unique(np.concatenate(hcms)).astype(np.int64)
    others = np.setdiff1d(np.arange(len(pool)), shown)
    random = np.random.default_rng(derive_seed("map", work.seed))
    rows = np.sort(np.concatenate([shown, random.permutation(others)[:_OTHERS]]))
    places = _plane(classifiers.load(work.classifier, work.inputs["model"] / MODEL, pool.labels), work, rows)
    is_hcm = [_hcm(scores, pool.y, tau)[rows] if scores is not None else None for scores in (before, after)]
    texts = pool.texts()
    held_out = work.held_out(work.config["near_duplicate"], (texts[row] for row in shown))
    told = {int(row) for row in shown if held_out.revealed_by(texts[row]) is None}
    labels = np.array(pool.labels, dtype=object)
    columns = {
        name: pa.array([column[row] if row in told else None for row in rows], pa.string())
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
    pq.write_table(pa.table(columns), work.out / MAP)


def _hcm(scores: np.ndarray, gold: np.ndarray, tau: float) -> np.ndarray:
    outcome = Outcome.of(scores, gold)
    return np.asarray(outcome.wrong & at_least(outcome.confidence, tau))


def _plane(model: classifiers.Classifier, work: Work, rows: np.ndarray) -> np.ndarray:
    """Two coordinates for each row, shape (rows, 2)."""
    from sklearn.decomposition import PCA

    vectors = model.embed(work.table("pool").take(rows), work.progress).astype(np.float64)
    plane = np.zeros((len(rows), 2))
    size = min(2, *vectors.shape)
    if size and len(rows) > 1:
        plane[:, :size] = PCA(size, svd_solver="full").fit_transform(vectors)
    return plane
