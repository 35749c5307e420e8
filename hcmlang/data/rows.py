"""Checking the rows of a source: good rows become record batches, bad rows become diagnostics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hcmlang.data.table import BLOCK, record_batch
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean
from hcmlang.spec.data import Task

#: The number of bad rows that are reported one by one.
SHOWN = 10
#: The group of rows that name none.
NO_GROUP = "(no group)"
_SURROGATE = re.compile("[\ud800-\udfff]")
_TYPES = {type(None): "nothing", bool: "a truth value", int: "a number", float: "a number", list: "a list"}


@dataclass(frozen=True)
class SourceRow:
    """A row as read. `number` counts data rows from 1; `line` is its first line, if the file has lines."""

    number: int
    line: int | None
    values: dict[str, Any]


class RowChecker:
    """Collects the good rows of a source in blocks, and the problems of bad rows.

    Args:
        name: The name of the source, for messages.
        group: The column with the group of each row, if the rows have groups.
    """

    def __init__(self, name: str, task: Task, group: str | None) -> None:
        self.name = name
        self.task = task
        self.columns = list(dict.fromkeys([*task.text, task.label, *([group] if group else [])]))
        self.count = 0
        self.problems: list[Diagnostic] = []
        self.bad = 0
        self._group = group
        self._groups: list[str] = []
        self._texts: list[tuple[str, ...]] = []
        self._y: list[int] = []
        self._index = {label: i for i, label in enumerate(task.labels)}
        # A number is the position of a label, unless the labels themselves are numbers.
        if not any(label.lstrip("-").isdigit() for label in task.labels):
            self._index |= {str(position): position for position in range(len(task.labels))}

    @property
    def full(self) -> bool:
        """Whether a block is complete."""
        return len(self._y) == BLOCK

    def block(self) -> pa.RecordBatch:
        """The rows since the last block."""
        columns = [[row[i] for row in self._texts] for i in range(len(self.task.text))]
        groups = self._groups if self._group else None
        block = record_batch(self.task.text, self.task.labels, columns, self._y, groups)
        self._texts, self._y, self._groups = [], [], []
        return block

    def require(self, columns: Sequence[str]) -> list[str]:
        """The columns that the task needs. Raises :class:`DiagnosticError` if the source lacks one, once for all rows."""
        for column in self.columns:
            if column not in columns:
                message = f"{self.name} has no column `{column}`"
                hint = did_you_mean(column, columns)
                raise DiagnosticError(Diagnostic("missing-column", message, hint=hint))
        return self.columns

    def add(self, row: SourceRow) -> None:
        """Check a row and keep it if it is good."""
        values = row.values
        missing = [column for column in self.columns if column not in values]
        if missing:
            self.problem("missing-column", row, f"has no `{missing[0]}`", did_you_mean(missing[0], values))
            return
        texts = [values[column] for column in self.task.text]
        for column, text in zip(self.task.text, texts, strict=True):
            if not isinstance(text, str):
                kind = _TYPES.get(type(text), "an object")
                self.problem("bad-row", row, f"has {kind} as `{column}` instead of a text")
                return
            if not text.strip():
                self.problem("bad-row", row, f"has an empty `{column}`", "remove the row or give it a text")
                return
            if _SURROGATE.search(text):
                hint = "write the character itself, or both halves of its escape"
                self.problem("bad-row", row, f"has half a character (a lone surrogate) in `{column}`", hint)
                return
        label = values[self.task.label]
        y = self._class_of(label)
        if y is None:
            self._wrong_label(row, label)
            return
        self.count += 1
        self._texts.append(tuple(texts))
        self._y.append(y)
        if self._group is not None:
            group = values[self._group]
            self._groups.append((str(group).strip() if group is not None else "") or NO_GROUP)

    def _class_of(self, label: Any) -> int | None:
        """The class of a label, which is a name or a position."""
        if isinstance(label, str):
            return self._index.get(label.strip())
        if isinstance(label, int) and not isinstance(label, bool):
            return self._index.get(str(label))
        return None

    def _wrong_label(self, row: SourceRow, label: Any) -> None:
        if label is None or label == "":
            self.problem("unknown-label", row, "has no label", did_you_mean("", self.task.labels))
            return
        hint = did_you_mean(str(label), self.task.labels)
        if label in (-1, "-1"):
            hint = "-1 stands for the hidden labels of a test split; use a split with labels"
        self.problem("unknown-label", row, f"has the label `{label}`, which is not in `task.labels`", hint)

    def problem(self, code: str, row: SourceRow, message: str, hint: str | None = None) -> None:
        """Note what is wrong with a row."""
        self.bad += 1
        if self.bad <= SHOWN:
            span = Span.point(Source(self.name), row.line) if row.line else None
            self.problems.append(Diagnostic(code, f"row {row.number:,} of {self.name} {message}", span, hint))

    def report(self) -> list[Diagnostic]:
        """What is wrong with the rows."""
        more = self.bad - SHOWN
        note = [Diagnostic("more-bad-rows", f"{more:,} more bad rows in {self.name}")] if more > 0 else []
        return self.problems + note
