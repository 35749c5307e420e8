"""Files of answers as rows with named cells: tables as platforms and spreadsheets write them, and JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, SpecError

#: How texts in UTF-16 begin, and spreadsheets.
_UTF16, _ZIP = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), b"PK\x03\x04"
#: What may part the columns, and the line with which spreadsheets say so.
_SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_STATED = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)
#: The key of a task.
_KEY = re.compile(r"[0-9a-f]{32}")


class RowError(ValueError):
    """What is wrong with a row, and what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Cells:
    """What a row says, by the names of its columns. Names are the same whatever their case, spaces and underscores; a column
    that is called exactly so comes first. Blank cells say nothing."""

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
        """The values under the first of these names that has any. Raises :class:`RowError` where two columns that have the same
        name say different things."""
        for columns, form in ((self._exact, str), (self._folded, _folded)):
            for name in names:
                found = columns.get(form(name), [])
                if any(one != found[0] for one in found):
                    shown = " and ".join(f"`{', '.join(one)[:40]}`" for one in found[:2])
                    hint = "leave one of the columns out, or give it another name"
                    raise RowError(f"two columns are called `{name}`, and say {shown}", hint)
                if found:
                    return found[0]
        return []

    def first(self, *names: str) -> str:
        """The first of these values; empty where there is none."""
        return next(iter(self.all(*names)), "").strip()


def _folded(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).casefold()


def source_of(path: Path) -> Source:
    """The text of a file, in UTF-8 or, where it says so itself, in UTF-16. Raises :class:`DiagnosticError`."""
    encoding, begin = "utf-8-sig", b""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin.startswith(_UTF16):  # what a spreadsheet calls `Unicode text`
            encoding = "utf-16"
        text = path.read_text(encoding)
    except OSError as error:
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    except UnicodeDecodeError as error:
        at = f"is not {error.encoding[:6].upper()}, from byte {error.start:,} on"
        raise _not_text(path, "is a spreadsheet, not a text" if begin == _ZIP else at) from error
    if "\0" in text.partition("\n")[0]:
        raise _not_text(path, "is not UTF-8: there are zeros between its characters")
    return Source(str(path), text)


def _not_text(path: Path, message: str) -> DiagnosticError:
    hint = "save it as UTF-8; a spreadsheet calls that `CSV UTF-8`"
    return SpecError(Diagnostic("not-utf8", f"{path} {message}", hint=hint))


def rows_of(source: Source, required: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, Cells | RowError]]:
    """Each row with its line number, or what is wrong with it; blank ones are passed over. `required` has what every row needs
    to say, and how its column may be called.

    Raises :class:`DiagnosticError` where a table lacks such a column.
    """
    if source.text.lstrip()[:1] == "{":
        # Signs that end a line elsewhere, as U+2028, stand in JSON texts as they are.
        for number, text in enumerate(source.text.split("\n"), start=1):
            if text.strip():
                yield number, _json_line(text)
        return
    csv.field_size_limit(max(csv.field_size_limit(), len(source.text)))
    sign = _parting(source.text)
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=sign)
    columns: list[str] = []
    for row in reader:
        if not any(map(str.strip, row)) or (not columns and _STATED.fullmatch(sign.join(row))):
            continue
        # A cell may hold breaks; the line is that on which its row ends.
        if columns:
            yield reader.line_num, _table_row(columns, row, sign)
        else:
            columns = [name.strip().strip("\ufeff") for name in row]
            _require(source, reader.line_num, columns, required)


def _parting(text: str) -> str:
    """What parts the columns: a comma, or what a spreadsheet writes where that is in numbers."""
    head = next((line for line in text.split("\n") if line.strip()), "")
    if stated := _STATED.fullmatch(head):
        return stated[1]
    return max(_SIGNS, key=lambda sign: len(next(csv.reader([head], delimiter=sign), [])))


def _require(source: Source, line: int, columns: Sequence[str], required: Mapping[str, Sequence[str]]) -> None:
    there = set(map(_folded, columns))
    for what, names in required.items():
        if there.isdisjoint(map(_folded, names)):
            hint = _guess(source, columns, there)
            if hint is None:
                shown = listed([name for name in columns if name][:12])
                hint = f"it is called {listed(names)}; the columns here are {shown}"
                if len(columns) == 1:
                    hint += "; commas, semicolons or tabs part columns"
            place = Span.point(source, line)
            raise SpecError(Diagnostic("missing-column", f"no column says {what}", place, hint))


def _guess(source: Source, columns: Sequence[str], there: set[str]) -> str | None:
    """What a file seems to be that holds no answers; None where nothing says that."""
    if source.text.lstrip()[:1] == "[":
        return "this is one JSON list; write each of its objects on a line of its own"
    if any(map(_KEY.fullmatch, columns)):
        return "the first line is an answer; put the names of the columns above it"
    if {"participantid", "submissionid"} <= there:
        where = "in the files that people sent back, or with whoever showed the tasks"
        return f"this is Prolific's list of who took part; the answers are {where}"
    if {"task", "question"} <= there:
        return "these are the tasks as `export` wrote them; the answers come from the platform"
    return None


def _table_row(columns: Sequence[str], row: Sequence[str], sign: str) -> Cells | RowError:
    if any(map(str.strip, row[len(columns) :])):
        message = f"this row has {len(row)} cells, and there are {len(columns)} columns"
        return RowError(message, f"a text that holds {_SIGNS[sign]} stands in quotes")
    return Cells((name, [cell]) for name, cell in zip(columns, row, strict=False))


def _json_line(text: str) -> Cells | RowError:
    hint = "each line is one object `{...}`"
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half a sign (`\\ud800`) cannot be written down
    except (ValueError, RecursionError) as error:
        return RowError(f"this line is no JSON: {error}", hint)
    if not isinstance(found, dict):
        return RowError("this line is no JSON: it is no object `{...}`", hint)
    values = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    return Cells((name, [str(one) for one in own if one is not None]) for name, own in values.items())


def listed(names: Sequence[str]) -> str:
    """Names, as they are told."""
    return ", ".join(f"`{name}`" for name in names)
