"""Rows of the data as instances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hcmlang.data.records import Instance
from hcmlang.data.table import Table


def instances_of(table: Table, rows: np.ndarray, seed: int) -> Iterator[Instance]:
    """Rows of a table, by number, as instances without teacher and hypothesis."""
    texts = table.texts()
    for row in rows:
        fields = dict(zip(table.fields, texts[row], strict=True))
        yield Instance(fields, table.labels[table.y[row]], hypothesis="", seed=seed)
