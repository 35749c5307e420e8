"""Reading labelled rows from files, `datasets` folders and the hub; a bad row is an error that names file and row."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean
from hcmlang.hashing import file_digest, folder_digest
from hcmlang.spec.data import DataSource, FileData, HubData, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from hcmlang.data.table import Table

#: As many bad rows are shown; the rest is counted.
SHOWN = 10
#: The group of a row that names none.
NO_GROUP = "(no group)"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = "write the character itself, or both halves of its escape"
_PACKED = ("gz", "bz2", "xz", "zst", "zip", "7z")
_DELIMITERS = {"csv": ",", "tsv": "\t"}

Values = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A row as read: its number among the data rows (from 1), the line it begins in where the file has lines."""

    number: int
    line: int | None
    values: Values


def format_of(source: FileData) -> str:
    """The format: as the spec says, or by the ending; a folder is one that `datasets` wrote."""
    if source.format:
        return source.format
    path = Path(source.path)
    ending = path.suffix.lower().removeprefix(".")
    if path.is_dir():
        return "datasets"
    return {"jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "txt": "tsv"}.get(ending, ending)


def columns_of(source: FileData) -> list[str] | None:
    """The columns of a file, from its head alone; None where that does not tell."""
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
    """What the rows of a source depend on: the content of files, the name and revision of a hub data set."""
    if isinstance(source, HubData):
        return source.model_dump(mode="json")
    path = Path(source.path)
    if not path.exists():
        raise DiagnosticError(_missing(source))
    digest = folder_digest(path) if path.is_dir() else file_digest(path)
    return {"content": digest, "format": format_of(source), "split": source.split}


def text_digest(path: str | None) -> str | None:
    """SHA-256 of a file that the spec names, if it names one."""
    return file_digest(Path(path)) if path is not None else None


def read_table(source: DataSource, task: Task, role: str) -> Table:
    """The rows of a source as a table of the task.

    `role` is what the rows are for (`train`, `pool`, ...), for messages. Raises :class:`DiagnosticError` for a source that
    cannot be read, has no rows, or has bad ones (the first ten are named).
    """
    import pyarrow as pa

    from hcmlang.data.table import Table

    return Table.from_arrow(pa.Table.from_batches(read_batches(source, task, role)), task.text, task.labels)


def read_into(path: Path, source: DataSource, task: Task, role: str) -> None:
    """The same into a file that :meth:`hcmlang.data.table.Table.read` reads, in the memory of a few rows."""
    from hcmlang.data.table import schema, write_batches

    write_batches(path, schema(task.text, grouped=_grouped(task, role) is not None), read_batches(source, task, role))


def count_rows(source: DataSource, task: Task, role: str) -> int:
    """The number of a source's rows; they are checked, and not kept."""
    return sum(batch.num_rows for batch in read_batches(source, task, role))


def read_batches(source: DataSource, task: Task, role: str) -> Iterator[pa.RecordBatch]:
    """The rows of a source as they are read, a block at a time; problems are told at the end."""
    name = source.hub if isinstance(source, HubData) else source.path
    read = _Reading(name, task, _grouped(task, role))
    for row in _rows(source, read):
        read.take(row)
        if read.full:
            yield read.block()
    if read.wrong:
        raise DiagnosticError(read.report())
    if not read.rows:
        hint = f"give `task.data.{role}` a file with labelled rows" + (
            "; or leave `pool` out" if role == "pool" else ""
        )
        raise DiagnosticError(Diagnostic("no-rows", f"{name} ({role}) has no rows", hint=hint))
    yield read.block()


def _grouped(task: Task, role: str) -> str | None:
    """The column with each row's group, where there is one."""
    return task.group if role == "test" else None


class _Reading:
    """Collects good rows, a block at a time, and the problems of bad ones."""

    def __init__(self, name: str, task: Task, group: str | None) -> None:
        self.name = name
        self.task = task
        self.group = group
        self.groups: list[str] = []
        self.texts: list[tuple[str, ...]] = []
        self.y: list[int] = []
        self.rows = 0
        self.problems: list[Diagnostic] = []
        self.wrong = 0
        self.index = {label: i for i, label in enumerate(task.labels)}
        # A number is a label's position, unless the labels themselves are numbers.
        if not any(label.lstrip("-").isdigit() for label in task.labels):
            self.index |= {str(position): position for position in range(len(task.labels))}

    @property
    def full(self) -> bool:
        from hcmlang.data.table import BLOCK

        return len(self.y) == BLOCK

    def block(self) -> pa.RecordBatch:
        """The rows since the last block."""
        from hcmlang.data.table import record_batch

        columns = [[row[i] for row in self.texts] for i in range(len(self.task.text))]
        groups = self.groups if self.group else None
        block = record_batch(self.task.text, self.task.labels, columns, self.y, groups)
        self.texts, self.y, self.groups = [], [], []
        return block

    @property
    def columns(self) -> list[str]:
        """The columns that the task needs."""
        return list(dict.fromkeys([*self.task.text, self.task.label, *([self.group] if self.group else [])]))

    def require(self, columns: Sequence[str]) -> list[str]:
        """The columns that the task needs, if the source has them all: one mistake, told once and not for each row."""
        for column in self.columns:
            if column not in columns:
                message = f"{self.name} has no column `{column}`"
                hint = did_you_mean(column, columns)
                raise DiagnosticError(Diagnostic("missing-column", message, hint=hint))
        return self.columns

    def take(self, row: Row) -> None:
        values = row.values
        missing = [column for column in self.columns if column not in values]
        if missing:
            self.problem("missing-column", row, f"has no `{missing[0]}`", did_you_mean(missing[0], values))
            return
        texts = []
        for column in self.task.text:
            text = values[column]
            if not isinstance(text, str):
                self.problem("bad-row", row, f"has {_kind(text)} as `{column}`; a text is wanted")
                return
            if not text.strip():
                self.problem("bad-row", row, f"has an empty `{column}`", "remove the row, or give it a text")
                return
            if _SURROGATE.search(text):
                self.problem("bad-row", row, f"has half a character (a lone surrogate) in `{column}`", _WHOLE)
                return
            texts.append(text)
        label = values[self.task.label]
        known = self.label(label)
        if known is None and (label is None or label == ""):
            self.problem("unknown-label", row, "has no label", did_you_mean("", self.task.labels))
            return
        if known is None:
            hint = did_you_mean(str(label), self.task.labels)
            if label in (-1, "-1"):
                hint = "hidden labels of a test split are written -1; take a split with labels"
            self.problem("unknown-label", row, f"has the label `{label}`, which is not in `task.labels`", hint)
            return
        self.rows += 1
        self.texts.append(tuple(texts))
        self.y.append(known)
        if self.group is not None:
            named = values[self.group]
            self.groups.append(str(named).strip() if named is not None and str(named).strip() else NO_GROUP)

    def label(self, value: Any) -> int | None:
        """The class that a label stands for: by name, or by position."""
        if isinstance(value, str):
            return self.index.get(value.strip())
        if isinstance(value, int) and not isinstance(value, bool):
            return self.index.get(str(value))
        return None

    def problem(self, code: str, row: Row, message: str, hint: str | None = None) -> None:
        self.wrong += 1
        if self.wrong > SHOWN:
            return
        span = Span.point(Source(self.name), row.line) if row.line else None
        self.problems.append(Diagnostic(code, f"row {row.number:,} of {self.name} {message}", span, hint))

    def report(self) -> list[Diagnostic]:
        more = self.wrong - SHOWN
        note = [Diagnostic("more-bad-rows", f"{more:,} more bad rows in {self.name}")] if more > 0 else []
        return self.problems + note


def _kind(value: Any) -> str:
    names = {type(None): "nothing", bool: "a truth value", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _missing(source: FileData) -> Diagnostic:
    return Diagnostic("missing-file", f"there is no file {source.path}", hint="check the path in `task.data`")


# -------------------------------------------------------------------------------------------------------------- formats


def _rows(source: DataSource, read: _Reading) -> Iterator[Row]:
    if isinstance(source, HubData):
        return _numbered(_hub(source, read))
    path, kind = Path(source.path), format_of(source)
    if not path.exists():
        raise DiagnosticError(_missing(source))
    readers: dict[str, Callable[[], Iterator[Row]]] = {
        "csv": lambda: _delimited(path, ",", read),
        "tsv": lambda: _delimited(path, "\t", read),
        "jsonl": lambda: _jsonl(path, read),
        "parquet": lambda: _numbered(_parquet(path, read)),
        "arrow": lambda: _numbered(_arrow(path, read)),
        "datasets": lambda: _numbered(_saved(path, source.split, read)),
    }
    if kind not in readers:
        hint = f"name it with `format:`, one of {', '.join(readers)}"
        if kind in _PACKED:
            hint = "unpack it first: rows are read from files that are not compressed (parquet is so within)"
        raise DiagnosticError(Diagnostic("unknown-format", f"the ending of {path} names no format", hint=hint))
    return _readable(path, readers[kind]())


def _readable(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; what keeps the file from being read at all becomes a diagnostic."""
    import pyarrow as pa

    try:
        yield from rows
    except UnicodeDecodeError as error:
        span = Span.point(Source(str(path)), _bad_line(path))
        raise DiagnosticError(
            Diagnostic("not-utf8", "this line is not UTF-8 text", span, "save the file as UTF-8")
        ) from error
    except (OSError, pa.ArrowException, csv.Error) as error:
        hint = "check that the file is whole and that its format is what its ending says"
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}", hint=hint)) from error


def _bad_line(path: Path) -> int:
    """The first line that is not UTF-8. (The error's own position counts from the start of a buffer.)"""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _delimited(path: Path, delimiter: str, read: _Reading) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            return
        twice = [name for name, count in Counter(header).items() if count > 1]
        if twice:
            span = Span.point(Source(str(path)), 1)
            raise DiagnosticError(Diagnostic("duplicate-column", f"two columns are named `{twice[0]}`", span))
        read.require(header)
        number = 0
        while True:
            line, number = reader.line_num + 1, number + 1
            problem = None
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                values, problem = [], f"is not well quoted: {error}"
            if not values and not problem:
                number -= 1
                continue
            row = Row(number, line, dict(zip(header, values, strict=False)))
            # A quote that opens a text and is closed in a later line has swallowed rows: a tab shows it.
            swallowed = [name for name, text in row.values.items() if "\n" in text and delimiter in text]
            if delimiter == "\t" and swallowed:
                problem = f"goes on over several lines in `{swallowed[0]}`"
            elif values and len(values) != len(header):
                problem = f"has {len(values)} column{'s' * (len(values) > 1)}; the header has {len(header)}"
            if problem is None:
                yield row
                continue
            read.problem("bad-row", row, problem, _QUOTES)
            number += reader.line_num - line  # the lines it has swallowed were meant as rows


_QUOTES = "a text with a quote, a line break or the delimiter needs quotes around it, and quotes in it are doubled"


def _jsonl(path: Path, read: _Reading) -> Iterator[Row]:
    number = 0
    with path.open(encoding="utf-8-sig") as file:
        for line_number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            number += 1
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                row = Row(number, line_number, {})
                read.problem("bad-row", row, f"is not JSON: {_json_error(error)}", "one JSON object on each line")
                continue
            if not isinstance(values, dict):
                row = Row(number, line_number, {})
                read.problem("bad-row", row, "is not a JSON object", 'write it as {"text": ..., "label": ...}')
                continue
            yield Row(number, line_number, values)


def _json_error(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[0].lower()}{error.msg[1:].removesuffix(' at')} at column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _numbered(rows: Iterable[Values]) -> Iterator[Row]:
    for number, values in enumerate(rows, start=1):
        yield Row(number, None, values)


def _parquet(path: Path, read: _Reading) -> Iterator[Values]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        columns = read.require(file.schema_arrow.names)
        names = _class_names(file.schema_arrow.metadata, read.task)
        for batch in file.iter_batches(columns=columns):
            yield from _named(batch.to_pylist(), names, read.task)


def _arrow(path: Path, read: _Reading) -> Iterator[Values]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_file(source)
            batches: Iterable[Any] = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            reader = batches = pa.ipc.open_stream(source)
        columns = read.require(reader.schema.names)
        names = _class_names(reader.schema.metadata, read.task)
        for batch in batches:
            yield from _named(batch.select(columns).to_pylist(), names, read.task)


def _saved(path: Path, split: str | None, read: _Reading) -> Iterator[Values]:
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        hint = "it must be written by `datasets`' save_to_disk; a single file is named with its ending"
        raise DiagnosticError(Diagnostic("unreadable-file", f"{path} is no data set folder", hint=hint)) from error
    if isinstance(saved, datasets.DatasetDict):
        if split not in saved:
            hint = did_you_mean(split or "", saved) or ""
            message = f"{path} has no split `{split}`" if split else f"{path} holds several splits"
            raise DiagnosticError(Diagnostic("unknown-split", message, hint=f"name one with `split:`; {hint}"))
        saved = saved[split]
    elif split is not None and str(saved.split) != split:
        message = f"{path} has no split `{split}`; it holds a single one"
        raise DiagnosticError(Diagnostic("unknown-split", message, hint="remove `split:`, or name another folder"))
    yield from _dataset(saved, read)


def _hub(source: HubData, read: _Reading) -> Iterator[Values]:
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(source.hub, source.config, split=source.split, revision=source.revision)
    except (OSError, ValueError, RuntimeError, HfHubHTTPError, DatasetsError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = "check the name, `config`, `split` and `revision`, and the network; or name local files instead"
        message = f"cannot load {source.hub} from the hub: {reason}"
        raise DiagnosticError(Diagnostic("hub-data", message, hint=hint)) from error
    finally:
        if not bars:
            datasets.enable_progress_bars()
    yield from _dataset(loaded, read)


def _dataset(data: Any, read: _Reading) -> Iterator[Values]:
    """The rows of a `datasets.Dataset`."""
    columns = read.require(data.column_names)
    names = getattr(data.features[read.task.label], "names", None)
    return _named(data.select_columns(columns), names, read.task)


def _class_names(metadata: Mapping[bytes, bytes] | None, task: Task) -> list[str] | None:
    """The names of the classes, where `datasets` wrote the file and stored them in its schema."""
    stored = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    feature = stored.get("info", {}).get("features", {}).get(task.label, {})
    names = feature.get("names") if isinstance(feature, dict) else None
    return list(names) if names else None


def _named(rows: Iterable[Values], names: list[str] | None, task: Task) -> Iterator[Values]:
    """Rows with the names of their classes, where the data calls any class what the task calls a label.

    Only where it calls none so are its integers positions in the task's labels: else a class that the task does not
    have, or has in another place, would pass for one of its labels.
    """
    labels = {label.casefold(): label for label in task.labels}
    classes = [labels.get(name.casefold(), name) for name in names or ()]
    if not set(classes) & set(task.labels):
        yield from rows
        return
    for row in rows:
        label = row.get(task.label)
        if isinstance(label, int) and 0 <= label < len(classes):
            row[task.label] = classes[label]
        yield row
