"""Read a data source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from hcmlang.data.sources import read_into, source_digest
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.run.files import TABLE
from hcmlang.run.step import ASIDE, Label, Needs, StepContext
from hcmlang.spec.data import DataSource, FileData, Task
from hcmlang.steps.base import Schema, TableStep


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadTable(TableStep):
    """The rows of a data source as a table."""

    action: ClassVar[str] = "read"
    version: ClassVar[int] = 2

    label_column: str
    group: str | None
    digest: Mapping[str, Any]
    source: DataSource = field(metadata=ASIDE)
    task: Task = field(metadata=ASIDE)
    role: str = field(metadata=ASIDE)

    @classmethod
    def of(cls, task: Task, role: str, source: DataSource) -> Self:
        return cls(
            label=Label(f"read/{role}"),
            schema=Schema(task.text, task.labels),
            label_column=task.label,
            group=task.group if role == "test" else None,
            digest=source_digest(source),
            source=source,
            task=task,
            role=role,
        )

    def needs(self) -> Needs:
        return Needs(reads_files=True)

    def run(self, context: StepContext) -> None:
        """Bad rows are errors with file and row. So is a file that has changed since the plan read it: its rows would be stored
        under the key of the other ones."""
        with context.progress.task(f"reading {self.role}"):
            read_into(context.out / TABLE, self.source, self.task, self.role)
            if source_digest(self.source) != self.digest:
                assert isinstance(self.source, FileData)
                message = f"{self.source.path} changed while the run read it"
                hint = "when nothing writes to it any more, run the same command again: finished steps are kept"
                raise DiagnosticError(Diagnostic("changed-file", message, hint=hint))

    @property
    def file_size(self) -> int:
        path = Path(self.source.path) if isinstance(self.source, FileData) else None
        return path.stat().st_size if path is not None and path.is_file() else 0
