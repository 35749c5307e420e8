"""Tables of labelled texts, which every part of the loop works on. Files are memory-mapped, so tables may be of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hcmlang.data.texts import Joined, Rows, Texts

if TYPE_CHECKING:
    import pyarrow as pa

LABEL = "label"
GROUP = "group"
#: Rows per block of a file. With 32-bit offsets, texts may have 130 kB on average.
BLOCK = 16_384


@dataclass(frozen=True)
class Table:
    """Rows of one text, or of a pair of texts, with a gold label each.

    `fields` are the names of the text columns in the task's order; `labels` are the names of the classes; `y` has the class
    of each row as an index into `labels` (int64, shape (n,)); `groups` has the group of each row, or is None.
    """

    fields: tuple[str, ...]
    labels: tuple[str, ...]
    columns: tuple[Sequence[str], ...]
    y: np.ndarray
    groups: Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        fields: Sequence[str],
        labels: Sequence[str],
        texts: Sequence[Sequence[str]],
        y: Sequence[int] | np.ndarray,
        groups: Sequence[str] | None = None,
    ) -> Table:
        """Create a table from the field texts of each row."""
        columns = tuple(tuple(row[i] for row in texts) for i in range(len(fields)))
        named = tuple(groups) if groups is not None else None
        return cls(tuple(fields), tuple(labels), columns, np.asarray(y, dtype=np.int64), named)

    def __len__(self) -> int:
        return len(self.y)

    def texts(self) -> Rows:
        """The field texts of each row."""
        return Rows(self.columns)

    def joined(self, separator: str = " ") -> Joined:
        """Each row as one text."""
        return Joined(self.texts(), separator)

    def take(self, rows: Sequence[int] | np.ndarray) -> Table:
        """The rows with these indices, in this order."""
        index = np.asarray(rows, dtype=np.int64)
        columns = tuple(_taken(column, index) for column in self.columns)
        groups = _taken(self.groups, index) if self.groups is not None else None
        return Table(self.fields, self.labels, columns, self.y[index], groups)

    def blocks(self, rows: int) -> Iterator[Table]:
        """Tables of `rows` rows each; the last may be shorter."""
        for begin in range(0, len(self), rows):
            yield self.take(np.arange(begin, min(begin + rows, len(self))))

    def __add__(self, other: Table) -> Table:
        """The rows of both tables, without groups."""
        if (self.fields, self.labels) != (other.fields, other.labels):
            raise ValueError("tables of different tasks cannot be joined")
        columns = tuple((*mine, *theirs) for mine, theirs in zip(self.columns, other.columns, strict=True))
        return Table(self.fields, self.labels, columns, np.concatenate([self.y, other.y]))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow batches, a block each."""
        for block in self.blocks(BLOCK):
            yield record_batch(block.fields, block.labels, block.columns, block.y, block.groups)

    def write(self, path: Path) -> None:
        """Write an Arrow file that :meth:`read` reads back."""
        write_batches(path, schema(self.fields, grouped=self.groups is not None), self.batches())

    @classmethod
    def read(cls, path: Path, fields: Sequence[str], labels: Sequence[str]) -> Table:
        """Open a table that :meth:`write` wrote. Its texts stay in the file."""
        import pyarrow as pa

        return cls.from_arrow(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), fields, labels)

    @classmethod
    def from_arrow(cls, data: pa.Table, fields: Sequence[str], labels: Sequence[str]) -> Table:
        """Create a table from Arrow rows with the columns of :func:`schema`."""
        index = {name: i for i, name in enumerate(labels)}
        # By position: a text column may have the name `label` or `group`.
        columns = [data.column(number) for number in range(data.num_columns)]
        texts, (named, *groups) = columns[: len(fields)], columns[len(fields) :]
        classes = [
            np.array([index[name] for name in chunk.dictionary.to_pylist()], dtype=np.int64)[chunk.indices.to_numpy()]
            for chunk in named.chunks
        ]
        y = np.concatenate([np.zeros(0, dtype=np.int64), *classes])
        grouped = Texts(groups[0]) if groups else None
        return cls(tuple(fields), tuple(labels), tuple(map(Texts, texts)), y, grouped)


def schema(fields: Sequence[str], *, grouped: bool) -> pa.Schema:
    """The Arrow schema of a table: text columns, `label` (the name of the class) and, if `grouped`, `group`."""
    import pyarrow as pa

    about = [(LABEL, pa.dictionary(pa.int32(), pa.string())), *([(GROUP, pa.string())] if grouped else [])]
    return pa.schema([*((name, pa.string()) for name in fields), *about])


def record_batch(
    fields: Sequence[str],
    labels: Sequence[str],
    columns: Sequence[Sequence[str]],
    y: Sequence[int] | np.ndarray,
    groups: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """Create an Arrow batch with the columns of :func:`schema`."""
    import pyarrow as pa

    classes = pa.DictionaryArray.from_arrays(pa.array(y, pa.int32()), pa.array(labels, pa.string()))
    texts = [pa.array(list(column), pa.string()) for column in columns]
    about = [pa.array(list(groups), pa.string())] if groups is not None else []
    return pa.record_batch([*texts, classes, *about], schema=schema(fields, grouped=groups is not None))


def write_batches(path: Path, form: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches to an Arrow file."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, form) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _taken(column: Sequence[str], rows: np.ndarray) -> Sequence[str]:
    return column.take(rows) if isinstance(column, Texts) else tuple(column[row] for row in rows)
