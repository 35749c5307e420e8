"""Confident mistakes in predictions."""

from __future__ import annotations

import numpy as np

#: Rows that are searched together.
_BLOCK = 1 << 20


def confident_errors(scores: np.ndarray, gold: np.ndarray, confidence: float) -> np.ndarray:
    """Rows whose prediction is wrong with at least this probability, the most confident first (ties: by row).

    `scores` are probabilities, shape (rows, labels); `gold` the classes, shape (rows,). Returns row numbers, int64.
    """
    errors = []
    for begin in range(0, len(scores), _BLOCK):
        block = scores[begin : begin + _BLOCK]
        wrong = block.argmax(axis=1) != gold[begin : begin + _BLOCK]
        errors.append(begin + np.flatnonzero(wrong & (block.max(axis=1) >= np.float32(confidence))))
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *errors])
    return rows[np.lexsort((rows, -scores[rows].max(axis=1, initial=0)))]
