"""Sequences of texts that stay in Arrow's memory or a mapped file and become Python strings on access."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, SupportsIndex, TypeVar, overload

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows that an iteration converts to Python objects at a time.
_BLOCK = 4_096

Item_co = TypeVar("Item_co", covariant=True)


class Lazy(Sequence[Item_co], Generic[Item_co]):
    """A sequence that creates its items on access. It equals any sequence with the same items. A slice is a list."""

    @abstractmethod
    def block(self, begin: int, end: int) -> list[Item_co]:
        """The items from `begin` to `end`, a valid range of the sequence."""

    @overload
    def __getitem__(self, which: SupportsIndex) -> Item_co: ...
    @overload
    def __getitem__(self, which: slice) -> list[Item_co]: ...
    def __getitem__(self, which: SupportsIndex | slice) -> Item_co | list[Item_co]:
        if isinstance(which, slice):
            begin, end, step = which.indices(len(self))
            if step != 1:
                return [self[row] for row in range(begin, end, step)]
            return self.block(begin, max(begin, end))
        row = range(len(self))[which]
        return self.block(row, row + 1)[0]

    def __iter__(self) -> Iterator[Item_co]:
        for begin in range(0, len(self), _BLOCK):
            yield from self.block(begin, min(begin + _BLOCK, len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        more = ", ..." if len(self) > 3 else ""
        return f"<{len(self):,} items: {', '.join(map(repr, self[:3]))}{more}>"


class Texts(Lazy[str]):
    """A column of strings, or a selection of its rows."""

    def __init__(self, column: pa.ChunkedArray, rows: np.ndarray | None = None) -> None:
        self._column = column
        self._rows = rows
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._begin = np.cumsum([0, *map(len, self._chunks)])

    def __len__(self) -> int:
        return len(self._column) if self._rows is None else len(self._rows)

    def take(self, rows: np.ndarray) -> Texts:
        """Select texts by index, without copying."""
        return Texts(self._column, rows if self._rows is None else self._rows[rows])

    def block(self, begin: int, end: int) -> list[str]:
        if self._rows is None:
            texts: list[str] = self._column.slice(begin, end - begin).to_pylist()
            return texts
        return self._selected(self._rows[begin:end])

    def _selected(self, rows: np.ndarray) -> list[str]:
        """Take rows chunk by chunk, because Arrow would copy all chunks into one first."""
        import pyarrow as pa

        which = np.searchsorted(self._begin, rows, side="right") - 1
        texts = np.empty(len(rows), dtype=object)
        for number in np.unique(which):
            own = which == number
            taken = self._chunks[number].take(pa.array(rows[own] - self._begin[number]))
            texts[own] = taken.to_pylist()
        return list(texts)


class Rows(Lazy[tuple[str, ...]]):
    """The field texts of each row, from a column for each field."""

    def __init__(self, columns: Sequence[Sequence[str]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def block(self, begin: int, end: int) -> list[tuple[str, ...]]:
        return list(zip(*(column[begin:end] for column in self._columns), strict=True))


class Joined(Lazy[str]):
    """Each row as one text."""

    def __init__(self, rows: Rows, separator: str) -> None:
        self._rows = rows
        self._separator = separator

    def __len__(self) -> int:
        return len(self._rows)

    def block(self, begin: int, end: int) -> list[str]:
        return [self._separator.join(row) for row in self._rows.block(begin, end)]
