"""Labelled texts in memory: what every part of the loop works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LABEL = "label"
GROUP = "group"


@dataclass(frozen=True)
class Table:
    """Rows of one text, or of a pair of texts, with a gold label each.

    `fields` names the text columns in the task's order; `labels` names the classes; `y` holds each row's class as an
    index into `labels` (int64, shape (n,)). `groups` names the group of each row, where the data has any.
    """

    fields: tuple[str, ...]
    labels: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    y: np.ndarray
    groups: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        fields: Sequence[str],
        labels: Sequence[str],
        texts: Sequence[Sequence[str]],
        y: Sequence[int],
        groups: Sequence[str] | None = None,
    ) -> Table:
        """From one sequence of field texts a row."""
        columns = tuple(tuple(row[i] for row in texts) for i in range(len(fields)))
        named = tuple(groups) if groups is not None else None
        return cls(tuple(fields), tuple(labels), columns, np.asarray(y, dtype=np.int64), named)

    def __len__(self) -> int:
        return len(self.y)

    def texts(self) -> list[tuple[str, ...]]:
        """The field texts of each row."""
        return list(zip(*self.columns, strict=True))

    def joined(self, separator: str = " ") -> list[str]:
        """Each row as one text."""
        return [separator.join(row) for row in zip(*self.columns, strict=True)]

    def take(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The rows with these indices, in this order."""
        index = np.asarray(rows, dtype=np.int64)
        columns = tuple(tuple(column[i] for i in index) for column in self.columns)
        groups = tuple(self.groups[i] for i in index) if self.groups is not None else None
        return Table(self.fields, self.labels, columns, self.y[index], groups)

    def __add__(self, other: Table) -> Table:
        """The rows of both, without groups."""
        if (self.fields, self.labels) != (other.fields, other.labels):
            raise ValueError("tables of different tasks cannot be joined")
        columns = tuple(mine + theirs for mine, theirs in zip(self.columns, other.columns, strict=True))
        return Table(self.fields, self.labels, columns, np.concatenate([self.y, other.y]))

    def to_arrow(self) -> pa.Table:
        """Text columns, `label` (the class's name) and, where there are groups, `group`: for a parquet file."""
        about = {LABEL: [self.labels[i] for i in self.y]} | ({GROUP: self.groups} if self.groups is not None else {})
        arrays = [pa.array(column, pa.string()) for column in (*self.columns, *about.values())]
        return pa.table(arrays, names=[*self.fields, *about])

    def write(self, path: Path) -> None:
        """Write as parquet; :meth:`read` gets the same table back."""
        pq.write_table(self.to_arrow(), path)

    @classmethod
    def read(cls, path: Path, fields: Sequence[str], labels: Sequence[str]) -> Table:
        data = pq.read_table(path)
        index = {name: i for i, name in enumerate(labels)}
        # By position: a text column may be called as one of those behind the texts is.
        (*columns,) = (tuple(data.column(number).to_pylist()) for number in range(data.num_columns))
        texts, (names, *groups) = columns[: len(fields)], columns[len(fields) :]
        y = np.fromiter((index[name] for name in names), dtype=np.int64, count=data.num_rows)
        return cls(tuple(fields), tuple(labels), tuple(texts), y, groups[0] if groups else None)
