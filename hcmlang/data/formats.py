"""Reading rows from csv, tsv, jsonl, parquet and arrow files, `datasets` folders and the hub."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hcmlang.data.rows import RowChecker, SourceRow
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, did_you_mean
from hcmlang.spec.data import HubData, Task

Values = dict[str, Any]

_COMPRESSED = ("gz", "bz2", "xz", "zst", "zip", "7z")
_QUOTES = "a text with a quote, a line break or the delimiter needs quotes around it, and quotes in it are doubled"


def read_file(path: Path, kind: str, split: str | None, check: RowChecker) -> Iterator[SourceRow]:
    """The rows of a file or folder of a format. Raises :class:`DiagnosticError` if it cannot be read."""
    readers: dict[str, Callable[[], Iterator[SourceRow]]] = {
        "csv": lambda: _delimited(path, ",", check),
        "tsv": lambda: _delimited(path, "\t", check),
        "jsonl": lambda: _jsonl(path, check),
        "parquet": lambda: _numbered(_parquet(path, check)),
        "arrow": lambda: _numbered(_arrow(path, check)),
        "datasets": lambda: _numbered(_saved(path, split, check)),
    }
    if kind not in readers:
        hint = f"set `format:` to one of {', '.join(readers)}"
        if kind in _COMPRESSED:
            hint = "unpack the file first: only parquet files may be compressed"
        raise DiagnosticError(Diagnostic("unknown-format", f"the ending of {path} is not a known format", hint=hint))
    try:
        yield from readers[kind]()
    except UnicodeDecodeError as error:
        span = Span.point(Source(str(path)), _first_bad_line(path))
        message = "this line is not UTF-8 text"
        raise DiagnosticError(Diagnostic("not-utf8", message, span, "save the file as UTF-8")) from error
    except (OSError, pa.ArrowException, csv.Error) as error:
        hint = "check that the file is complete and that its format matches its ending"
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}", hint=hint)) from error


def read_hub(source: HubData, check: RowChecker) -> Iterator[SourceRow]:
    """The rows of a data set on the hub. Raises :class:`DiagnosticError` if it cannot be loaded."""
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(source.hub, source.config, split=source.split, revision=source.revision)
    except (OSError, ValueError, RuntimeError, HfHubHTTPError, DatasetsError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = "check the name, `config`, `split` and `revision`, and the network; or use local files"
        message = f"cannot load {source.hub} from the hub: {reason}"
        raise DiagnosticError(Diagnostic("hub-data", message, hint=hint)) from error
    finally:
        if not bars:
            datasets.enable_progress_bars()
    yield from _numbered(_dataset(loaded, check))


def _first_bad_line(path: Path) -> int:
    """The first line that is not UTF-8. (The position in the error counts from the start of a buffer.)"""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _delimited(path: Path, delimiter: str, check: RowChecker) -> Iterator[SourceRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            return
        repeated = [name for name, count in Counter(header).items() if count > 1]
        if repeated:
            span = Span.point(Source(str(path)), 1)
            raise DiagnosticError(Diagnostic("duplicate-column", f"two columns are named `{repeated[0]}`", span))
        check.require(header)
        number = 0
        while True:
            line, number = reader.line_num + 1, number + 1
            problem = None
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                values, problem = [], f"has a wrong quote: {error}"
            if not values and not problem:
                number -= 1
                continue
            row = SourceRow(number, line, dict(zip(header, values, strict=False)))
            # A quote that starts a text and ends in a later line has swallowed rows. A tab in the text shows that.
            swallowing = [name for name, text in row.values.items() if "\n" in text and delimiter in text]
            if delimiter == "\t" and swallowing:
                problem = f"spans several lines in `{swallowing[0]}`"
            elif values and len(values) != len(header):
                problem = f"has {len(values)} column{'s' * (len(values) > 1)}; the header has {len(header)}"
            if problem is None:
                yield row
                continue
            check.problem("bad-row", row, problem, _QUOTES)
            number += reader.line_num - line  # the swallowed lines were meant to be rows


def _jsonl(path: Path, check: RowChecker) -> Iterator[SourceRow]:
    number = 0
    with path.open(encoding="utf-8-sig") as file:
        for line_number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            number += 1
            row = SourceRow(number, line_number, {})
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                message = f"is not JSON: {_json_error(error)}"
                check.problem("bad-row", row, message, "write one JSON object on each line")
                continue
            if not isinstance(values, dict):
                check.problem("bad-row", row, "is not a JSON object", 'write it as {"text": ..., "label": ...}')
                continue
            yield SourceRow(number, line_number, values)


def _json_error(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[0].lower()}{error.msg[1:].removesuffix(' at')} at column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _numbered(rows: Iterable[Values]) -> Iterator[SourceRow]:
    for number, values in enumerate(rows, start=1):
        yield SourceRow(number, None, values)


def _parquet(path: Path, check: RowChecker) -> Iterator[Values]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield from _batches(file.schema_arrow, file.iter_batches(columns=check.require(file.schema_arrow.names)), check)


def _arrow(path: Path, check: RowChecker) -> Iterator[Values]:
    with pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_file(source)
            batches: Iterable[Any] = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            reader = batches = pa.ipc.open_stream(source)
        columns = check.require(reader.schema.names)
        yield from _batches(reader.schema, (batch.select(columns) for batch in batches), check)


def _batches(schema: pa.Schema, batches: Iterable[Any], check: RowChecker) -> Iterator[Values]:
    """The rows of Arrow batches. `datasets` stores the names of classes in the schema."""
    stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = stored.get("info", {}).get("features", {}).get(check.task.label, {})
    names = feature.get("names") if isinstance(feature, dict) else None
    for batch in batches:
        yield from _with_class_names(batch.to_pylist(), names, check.task)


def _saved(path: Path, split: str | None, check: RowChecker) -> Iterator[Values]:
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        hint = "`datasets` creates such a folder with save_to_disk; name a single file with its ending"
        message = f"{path} is not a folder that `datasets` saved"
        raise DiagnosticError(Diagnostic("unreadable-file", message, hint=hint)) from error
    if isinstance(saved, datasets.DatasetDict):
        if split not in saved:
            hint = did_you_mean(split or "", saved) or ""
            message = f"{path} has no split `{split}`" if split else f"{path} has several splits"
            raise DiagnosticError(Diagnostic("unknown-split", message, hint=f"set `split:`; {hint}"))
        saved = saved[split]
    elif split is not None and str(saved.split) != split:
        message = f"{path} has no split `{split}`; it has a single one"
        raise DiagnosticError(Diagnostic("unknown-split", message, hint="remove `split:` or choose another folder"))
    yield from _dataset(saved, check)


def _dataset(data: Any, check: RowChecker) -> Iterator[Values]:
    """The rows of a `datasets.Dataset`."""
    columns = check.require(data.column_names)
    names = getattr(data.features[check.task.label], "names", None)
    return _with_class_names(data.select_columns(columns), names, check.task)


def _with_class_names(rows: Iterable[Values], names: list[str] | None, task: Task) -> Iterator[Values]:
    """Replace integer labels with class names, if the data names any class like a label of the task.

    Otherwise integers are positions in the task's labels. Without this rule, a class that the task lacks, or has at another
    position, would be read as one of its labels.
    """
    labels: Mapping[str, str] = {label.casefold(): label for label in task.labels}
    classes = [labels.get(name.casefold(), name) for name in names or ()]
    if not set(classes) & set(task.labels):
        yield from rows
        return
    for row in rows:
        label = row.get(task.label)
        if isinstance(label, int) and 0 <= label < len(classes):
            row[task.label] = classes[label]
        yield row
