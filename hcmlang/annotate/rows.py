"""Reading files of answers as rows with named cells: tables of platforms and spreadsheets, and JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError

_UTF16, _ZIP = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), b"PK\x03\x04"
#: Possible delimiters, and the line with which spreadsheets declare one.
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_DECLARED = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)
_TASK_KEY = re.compile(r"[0-9a-f]{32}")


class RowError(ValueError):
    """What is wrong with a row, and how to fix it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Cells:
    """The cells of a row by column name. Blank cells count as missing.

    Case, spaces and underscores of names do not matter, but a column with exactly the requested name takes precedence.
    """

    def __init__(self, pairs: Iterable[tuple[str, list[str]]]) -> None:
        self.names: list[str] = []
        self._exact: defaultdict[str, list[list[str]]] = defaultdict(list)
        self._folded: defaultdict[str, list[list[str]]] = defaultdict(list)
        for name, values in pairs:
            self.names.append(name)
            if any(map(str.strip, values)):
                self._exact[name].append(values)
                self._folded[_folded(name)].append(values)

    def all(self, *names: str) -> list[str]:
        """The values of the first of these columns that has any.

        Raises :class:`RowError` if two columns with the same name have different values.
        """
        for columns, form in ((self._exact, str), (self._folded, _folded)):
            for name in names:
                values = columns.get(form(name), [])
                if any(other != values[0] for other in values):
                    shown = " and ".join(f"`{', '.join(other)[:40]}`" for other in values[:2])
                    hint = "remove or rename one of the columns"
                    raise RowError(f"two columns are called `{name}` and have different values: {shown}", hint)
                if values:
                    return values[0]
        return []

    def first(self, *names: str) -> str:
        """The first of these values; empty if there is none."""
        return next(iter(self.all(*names)), "").strip()


def _folded(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).casefold()


def read_source(path: Path) -> Source:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. Raises :class:`SpecError`."""
    encoding, begin = "utf-8-sig", b""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin.startswith(_UTF16):  # spreadsheets call it `Unicode text`
            encoding = "utf-16"
        text = path.read_text(encoding)
    except OSError as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    except UnicodeDecodeError as error:
        at = f"is not {error.encoding[:6].upper()}, from byte {error.start:,} on"
        raise _not_text(path, "is a spreadsheet, not a text file" if begin == _ZIP else at) from error
    if "\0" in text.partition("\n")[0]:
        raise _not_text(path, "is not UTF-8: there are zeros between its characters")
    return Source(str(path), text)


def _not_text(path: Path, message: str) -> SpecError:
    hint = "save it as UTF-8 (`CSV UTF-8` in a spreadsheet)"
    return SpecError(Diagnostic("not-utf8", f"{path} {message}", hint=hint))


def rows_of(source: Source, required: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, Cells | RowError]]:
    """Each row that is not blank with its line number, or what is wrong with it.

    `required` are the columns that every row needs, each with its possible names. Raises :class:`SpecError` if a table lacks
    one of them.
    """
    if source.text.lstrip()[:1] == "{":
        # Split at \n only: JSON texts may contain other line separators, such as U+2028.
        for number, text in enumerate(source.text.split("\n"), start=1):
            if text.strip():
                yield number, _json_row(text)
        return
    csv.field_size_limit(max(csv.field_size_limit(), len(source.text)))
    delimiter = _delimiter(source.text)
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter)
    columns: list[str] = []
    for row in reader:
        if not any(map(str.strip, row)) or (not columns and _DECLARED.fullmatch(delimiter.join(row))):
            continue
        # Cells may contain line breaks. The line number is that of the last line of the row.
        if columns:
            yield reader.line_num, _table_row(columns, row, delimiter)
        else:
            columns = [name.strip().strip("\ufeff") for name in row]
            _require(source, reader.line_num, columns, required)


def _delimiter(text: str) -> str:
    head = next((line for line in text.split("\n") if line.strip()), "")
    if declared := _DECLARED.fullmatch(head):
        return declared[1]
    return max(_DELIMITERS, key=lambda sign: len(next(csv.reader([head], delimiter=sign), [])))


def _require(source: Source, line: int, columns: Sequence[str], required: Mapping[str, Sequence[str]]) -> None:
    present = set(map(_folded, columns))
    for what, names in required.items():
        if present.isdisjoint(map(_folded, names)):
            hint = _guess(source, columns, present)
            if hint is None:
                shown = listed([name for name in columns if name][:12])
                hint = f"name it {listed(names)}; the columns here are {shown}"
                if len(columns) == 1:
                    hint += "; separate columns with commas, semicolons or tabs"
            raise SpecError(
                Diagnostic("missing-column", f"there is no column for {what}", Span.point(source, line), hint)
            )


def _guess(source: Source, columns: Sequence[str], present: set[str]) -> str | None:
    """What a file without answers seems to be; None if unknown."""
    if source.text.lstrip()[:1] == "[":
        return "this is one JSON list; write each of its objects on its own line"
    if any(map(_TASK_KEY.fullmatch, columns)):
        return "the first line is an answer; add a line with the names of the columns above it"
    if {"participantid", "submissionid"} <= present:
        where = "in the files that people sent back, or on the site that showed the tasks"
        return f"this is Prolific's list of participants; the answers are {where}"
    if {"task", "question"} <= present:
        return "these are the tasks that `export` wrote; the answers come from the platform"
    return None


def _table_row(columns: Sequence[str], row: Sequence[str], delimiter: str) -> Cells | RowError:
    if any(map(str.strip, row[len(columns) :])):
        message = f"this row has {len(row)} cells, but there are {len(columns)} columns"
        return RowError(message, f"put quotes around a text with {_DELIMITERS[delimiter]}")
    return Cells((name, [cell]) for name, cell in zip(columns, row, strict=False))


def _json_row(text: str) -> Cells | RowError:
    hint = "write one object `{...}` on each line"
    try:
        row = json.loads(text)
        json.dumps(row, ensure_ascii=False).encode()  # fails for half a character (`\\ud800`), which cannot be stored
    except (ValueError, RecursionError) as error:
        return RowError(f"this line is not JSON: {error}", hint)
    if not isinstance(row, dict):
        return RowError("this line is not a JSON object `{...}`", hint)
    values = {name: value if isinstance(value, list) else [value] for name, value in row.items()}
    return Cells((name, [str(value) for value in own if value is not None]) for name, own in values.items())


def listed(names: Sequence[str]) -> str:
    """Names in backticks, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)
