"""The data sources of a task: labelled rows in files, `datasets` folders or data sets of the hub."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.hashing import file_digest, folder_digest
from hcmlang.spec.data import DataSource, FileData, HubData, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from hcmlang.data.table import Table

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_FORMATS = {"ndjson": "jsonl", "json": "jsonl", "txt": "tsv"}


def format_of(source: FileData) -> str:
    """The format: from the spec, otherwise from the ending of the file. A folder is one that `datasets` saved."""
    if source.format:
        return source.format
    path = Path(source.path)
    ending = path.suffix.lower().removeprefix(".")
    return "datasets" if path.is_dir() else _FORMATS.get(ending, ending)


def columns_of(source: FileData) -> list[str] | None:
    """The columns of a file, from its head; None if the head does not contain them."""
    path, kind = Path(source.path), format_of(source)
    try:
        if kind in _DELIMITERS:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return next(csv.reader(file, delimiter=_DELIMITERS[kind]), None)
        if kind == "jsonl":
            with path.open(encoding="utf-8-sig") as file:
                first = json.loads(file.readline())
            return list(first) if isinstance(first, dict) else None
        if kind == "parquet":
            import pyarrow.parquet as pq

            return list(pq.read_schema(path).names)
    except (OSError, ValueError, RecursionError, csv.Error):
        return None
    return None


def source_digest(source: DataSource) -> dict[str, Any]:
    """What the rows of a source depend on: the content of files; the name and revision of a data set of the hub."""
    if isinstance(source, HubData):
        return source.model_dump(mode="json")
    path = _existing(source)
    digest = folder_digest(path) if path.is_dir() else file_digest(path)
    return {"content": digest, "format": format_of(source), "split": source.split}


def text_digest(path: str | None) -> str | None:
    """The SHA-256 of a file that the spec names; None if it names none."""
    return file_digest(Path(path)) if path is not None else None


def read_table(source: DataSource, task: Task, role: str) -> Table:
    """Read the rows of a source as a table of the task.

    `role` is the use of the rows (`train`, `pool`, ...), for messages. Raises :class:`DiagnosticError` if the source cannot be
    read, has no rows, or has bad rows (the first ten are reported).
    """
    import pyarrow as pa

    from hcmlang.data.table import Table

    return Table.from_arrow(pa.Table.from_batches(read_batches(source, task, role)), task.text, task.labels)


def read_into(path: Path, source: DataSource, task: Task, role: str) -> None:
    """Like :func:`read_table`, but write a file for :meth:`hcmlang.data.table.Table.read`, a block of rows at a time."""
    from hcmlang.data.table import schema, write_batches

    write_batches(path, schema(task.text, grouped=_group(task, role) is not None), read_batches(source, task, role))


def count_rows(source: DataSource, task: Task, role: str) -> int:
    """Count the rows of a source. Checks them like :func:`read_table`, but does not keep them."""
    return sum(batch.num_rows for batch in read_batches(source, task, role))


def read_batches(source: DataSource, task: Task, role: str) -> Iterator[pa.RecordBatch]:
    """Read the rows of a source, a block at a time. Problems are raised at the end, as by :func:`read_table`."""
    from hcmlang.data.formats import read_file, read_hub
    from hcmlang.data.rows import RowChecker

    name = source.hub if isinstance(source, HubData) else source.path
    check = RowChecker(name, task, _group(task, role))
    if isinstance(source, HubData):
        rows = read_hub(source, check)
    else:
        rows = read_file(_existing(source), format_of(source), source.split, check)
    for row in rows:
        check.add(row)
        if check.full:
            yield check.block()
    if check.bad:
        raise DiagnosticError(check.report())
    if not check.count:
        hint = f"set `task.data.{role}` to a file with labelled rows" + (", or remove it" if role == "pool" else "")
        raise DiagnosticError(Diagnostic("no-rows", f"{name} ({role}) has no rows", hint=hint))
    yield check.block()


def _group(task: Task, role: str) -> str | None:
    """The column with the group of each row. Only test rows have groups."""
    return task.group if role == "test" else None


def _existing(source: FileData) -> Path:
    if not Path(source.path).exists():
        message = f"there is no file {source.path}"
        raise DiagnosticError(Diagnostic("missing-file", message, hint="check the path in `task.data`"))
    return Path(source.path)
