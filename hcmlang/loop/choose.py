"""Which instances are the best of more than are wanted: by what the classifier makes of them, or by how much they add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hcmlang.classifiers.base import Classifier
from hcmlang.data.table import Table
from hcmlang.progress import SILENT, Progress
from hcmlang.spec.model import Criterion


def best(
    table: Table,
    keep: int,
    criteria: Sequence[Criterion],
    classifier: Classifier,
    certainty: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> list[int]:
    """Numbers of `keep` rows, the best first, or of all where there are no more.

    One row after the other is taken: that with the largest sum of what the criteria say of it, each between 0 and 1.
    `confidence_in_error` is the probability that the classifier, which has not seen the row, gives to other labels than its
    own. `diversity` is the distance of the row to the nearest one taken before, in the classifier's embedding (greedy k-center:
    Sener and Savarese 2018), relative to the largest distance to the centre of all rows. `certainty`, shape (rows,), is what
    `label_certainty` goes by.
    """
    merit = np.zeros(len(table)) if certainty is None else certainty.astype(np.float64)
    if "confidence_in_error" in criteria:
        scores = classifier.predict_proba(table, progress)
        merit += 1 - scores[np.arange(len(table)), table.y].astype(np.float64)
    if "diversity" not in criteria:
        return [int(row) for row in np.argsort(-merit, kind="stable")[:keep]]
    places = classifier.embed(table, progress).astype(np.float64)
    from_centre = np.linalg.norm(places - places.mean(axis=0), axis=1) if len(table) else np.zeros(0)
    widest = max(float(from_centre.max(initial=0)), 1e-12)
    nearest = from_centre  # before any is taken, what lies far out
    left = np.ones(len(table), dtype=bool)
    taken: list[int] = []
    while len(taken) < min(keep, len(table)):
        value = np.where(left, merit + np.minimum(nearest / widest, 1), -np.inf)
        row = int(value.argmax())
        taken.append(row)
        left[row] = False
        distance = np.linalg.norm(places - places[row], axis=1)
        nearest = distance if len(taken) == 1 else np.minimum(nearest, distance)
    return taken
