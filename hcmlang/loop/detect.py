"""Finding high-confidence misclassifications."""

from __future__ import annotations

import numpy as np


def confident_errors(scores: np.ndarray, gold: np.ndarray, confidence: float) -> np.ndarray:
    """Rows whose prediction is wrong with at least this probability, the most confident first (ties: by row).

    `scores` are probabilities, shape (rows, labels); `gold` the classes, shape (rows,). Returns row numbers, int64.
    """
    top = scores.max(axis=1)
    rows = np.flatnonzero((scores.argmax(axis=1) != gold) & (top >= np.float32(confidence)))
    return rows[np.lexsort((rows, -top[rows]))]
