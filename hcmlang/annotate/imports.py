"""Answers that come back from crowdsourcing platforms: each row is checked, and taken or told about.

A row names the task, who answered and what; columns may be those of MTurk (`WorkerId`, `Answer.label`), of Prolific, or the
plain names that `hcmlang annotate export` tells.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hcmlang.annotate.answers import Broken, payload_of, problems_of
from hcmlang.diagnostics import EXIT_SPEC, Diagnostic, DiagnosticError, Source, Span
from hcmlang.hashing import content_key
from hcmlang.teachers.asked import Task
from hcmlang.teachers.assignment import Assignments
from hcmlang.teachers.tasks import Tasks

#: Rows that are told of.
_TOLD = 20
#: What a column may be called, the first that is there counts.
_TASK = ("task", "Answer.task", "Input.task")
_WORKER = ("worker", "annotator", "WorkerId", "PROLIFIC_PID", "Participant id", "participant_id")
_SECONDS = ("seconds", "Answer.seconds", "WorkTimeInSeconds", "Time taken", "time_taken")
_PAY = ("usd", "pay", "Reward", "reward")
_ASSIGNMENT = ("assignment", "AssignmentId", "assignmentId", "SESSION_ID", "Submission id", "submission_id")
_STATUS = ("AssignmentStatus", "Status", "status")
#: States in which a platform has taken nothing, and pays nothing.
_VOID = ("rejected", "returned", "timed-out", "timed out")
#: What says that a button was not pressed: platforms and tables of one's own write something in every cell.
_NO = ("0", "0.0", "false", "no", "off", "none", "null", "{}")
#: In the place of a line's values, what is wrong with it.
_BROKEN = "\0"
#: More seconds, or US dollars, are a mistake in the file.
_MOST_SECONDS, _MOST_USD = 24 * 3600, 1000


@dataclass
class Imported:
    """What came of a file: rows by receipt (`saved`, `restored`, `again`, `late`, `check`, `refused`, `own`), what was
    paid, who failed the attention checks, and what is wrong with rows."""

    rows: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0
    failed: tuple[str, ...] = ()
    wrong: list[Diagnostic] = field(default_factory=list)

    def summary(self) -> str:
        """In a line."""
        names = {
            "saved": "taken",
            "restored": "taken after all",
            "again": "there already",
            "late": "too late to be used",
            "check": "attention checks",
            "refused": "refused for failed attention checks",
            "own": "about texts or labels of their own, not used",
        }
        parts = [f"{self.rows[name]:,} {said}" for name, said in names.items() if self.rows[name]]
        if self.wrong:
            parts.append(f"{len(self.wrong):,} wrong")
        return f"{', '.join(parts) or 'no rows'}; pay {self.usd:,.2f} US dollars"


@dataclass(frozen=True)
class _Row:
    """A line of the file, with what it says."""

    number: int
    values: Mapping[str, list[str]]
    task: Task
    worker: str
    payload: dict[str, Any]
    seconds: float
    usd: float | None
    token: str


def read(path: Path, tasks: Tasks, broken: Broken, failures: int = 0) -> Imported:
    """Take in a file of answers (CSV, or JSON lines). Whoever fails more than `failures` attention checks is refused with all
    rows of the file. The same file a second time changes nothing, but that people who were refused are taken after all
    where they may fail more.

    Raises :class:`DiagnosticError` where the file cannot be read.
    """
    source = _source(path)
    done, rows, checks = Imported(), [], tasks.checks()
    empty = True
    for number, values in _lines(source):
        empty = False
        try:
            row = _row(source, number, values, tasks, broken)
        except DiagnosticError as error:
            done.wrong += error.diagnostics
        else:
            rows += [row] if row is not None else []
    if empty:
        raise DiagnosticError(Diagnostic("no-rows", f"{path} has no rows"), EXIT_SPEC)
    missed: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.task.key in checks:
            missed[row.worker] += row.payload["label"] != checks[row.task.key]
    done.failed = tuple(sorted(worker for worker, count in missed.items() if count > failures))
    for row in rows:
        _take(row, tasks, checks, row.worker in done.failed, done)
    return done


def _take(row: _Row, tasks: Tasks, checks: Mapping[str, str], failed: bool, done: Imported) -> None:
    own = Assignments(tasks).about_own_work(row.task.key, row.worker)
    receipt: str = tasks.record(
        row.task.key,
        row.worker,
        row.payload,
        seconds=row.seconds,
        token=row.token,
        usd=row.usd,
        source="import",
        refused=failed or own,
    )
    if receipt not in ("again", "restored"):
        done.usd += row.usd if row.usd is not None else row.seconds / 3600 * row.task.usd_per_hour
        if row.task.key in checks:
            receipt = "check"
        elif failed or own:
            receipt = "refused" if failed else "own"
    done.rows[receipt] += 1


def _source(path: Path) -> Source:
    try:
        return Source(str(path), path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}"), EXIT_SPEC) from error
    except UnicodeDecodeError as error:
        wide = path.read_bytes()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        what = "is UTF-16" if wide else f"is not UTF-8, from byte {error.start:,} on"
        hint = "save it as UTF-8; a spreadsheet calls that `CSV UTF-8`"
        raise DiagnosticError(Diagnostic("not-utf8", f"{path} {what}", hint=hint), EXIT_SPEC) from error


def _lines(source: Source) -> Iterator[tuple[int, dict[str, list[str]]]]:
    """Each row with its line number, its values as texts; blank ones are passed over. A line that is no JSON has its mistake in
    the place of values.

    Raises :class:`DiagnosticError` where a table lacks a column that every row needs.
    """
    if source.text.lstrip()[:1] == "{":
        # Signs that end a line elsewhere, as U+2028, stand in JSON texts as they are.
        for number, text in enumerate(source.text.split("\n"), start=1):
            if text.strip():
                yield number, _json_line(text)
        return
    csv.field_size_limit(max(csv.field_size_limit(), len(source.text)))
    reader = csv.DictReader(io.StringIO(source.text, newline=""), delimiter=_delimiter(source.text))
    columns = [name for name in reader.fieldnames or () if name]
    for what, names in (("the task", _TASK), ("who answered", _WORKER)):
        if columns and not set(columns).intersection(names):
            hint = f"it is called {_listed(names)}; the columns here are {_listed(columns[:12])}"
            place = Span.point(source, 1)
            raise DiagnosticError(Diagnostic("missing-column", f"no column says {what}", place, hint), EXIT_SPEC)
    for row in reader:
        # A cell may hold breaks; the line is that on which its row ends.
        yield reader.line_num, {str(name): [value] for name, value in row.items() if isinstance(value, str) and value}


def _delimiter(text: str) -> str:
    """What parts the columns: a comma, or what a spreadsheet writes where that is in numbers."""
    head = text.partition("\n")[0]
    return max(",;\t", key=lambda sign: len(next(csv.reader([head], delimiter=sign), [])))


def _json_line(text: str) -> dict[str, list[str]]:
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half a sign (`\\ud800`) cannot be written down
    except (ValueError, RecursionError) as error:
        return {_BROKEN: [str(error)]}
    return _texts(found) if isinstance(found, dict) else {_BROKEN: ["it is no object `{...}`"]}


def _texts(found: Mapping[str, Any]) -> dict[str, list[str]]:
    listed = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    return {name: [str(one) for one in own if one is not None] for name, own in listed.items()}


def _row(source: Source, number: int, values: Mapping[str, list[str]], tasks: Tasks, broken: Broken) -> _Row | None:
    """A row that can be taken; None for one that the platform has sent back."""

    def wrong(message: str, hint: str | None = None) -> DiagnosticError:
        place = Span.point(source, number)
        return DiagnosticError(Diagnostic("bad-row", message, place, hint, "warning"))

    if _BROKEN in values:
        raise wrong(f"this line is no JSON: {values[_BROKEN][0]}", "each line is one object `{...}`")
    if _first(values, _STATUS).casefold() in _VOID:
        return None
    key, worker = _first(values, _TASK), _first(values, _WORKER)
    if not key:
        raise wrong("the row names no task", f"it stands in a column {_listed(_TASK)}")
    task = tasks.task(key)
    if task is None:
        raise wrong(f"this run has no task `{key[:80]}`", "is the file of another run?")
    if not worker or len(worker) > 100 or not worker.isprintable():
        raise wrong("the row does not say who answered", f"it stands in a column {_listed(_WORKER)}")
    form = _form(values)
    if task.job in ("verify", "adjudicate") and not "".join(form.get("label", [])).strip():
        raise wrong("the row has no `label`", f"the labels are {', '.join(task.content['labels'])}; ? for cannot tell")
    if task.job == "characterize":
        known = [str(one["number"]) for one in task.content["mistakes"]]
        strange = [part for part in form.get("evidence", []) if part not in known]
        if strange:
            raise wrong(
                f"evidence: there is no text `{strange[0][:40]}`", f"the texts have the numbers 1 to {len(known)}"
            )
    payload = payload_of(task, form)
    problems = problems_of(task, payload, broken)
    if problems:
        raise wrong(f"{problems[0].part}: {problems[0].message}")
    seconds, usd = _number(values, _SECONDS, _MOST_SECONDS), _number(values, _PAY, _MOST_USD)
    if seconds is None and _first(values, _SECONDS):
        hint = f"seconds are a number from 0 to {_MOST_SECONDS:,}, a day"
        raise wrong(f"`{_first(values, _SECONDS)[:40]}` is no time that one answer takes", hint)
    if usd is None and _first(values, _PAY):
        hint = f"pay is a number from 0 to {_MOST_USD:,}"
        raise wrong(f"`{_first(values, _PAY)[:40]}` is no pay in US dollars for one answer", hint)
    assignment = _first(values, _ASSIGNMENT)
    worker = Assignments(tasks).join(worker)
    token = f"import/{assignment or content_key(payload)}/{worker}/{key}"
    return _Row(number, values, task, worker, payload, seconds or 0.0, usd, token)


def _form(values: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What a form of the page would send."""
    form = {name.removeprefix("Answer."): value for name, value in values.items()}
    for button in ("nothing", "impossible"):
        if _first(form, (button,)).casefold() in _NO:
            form.pop(button, None)
    if "evidence" in form:
        form["evidence"] = [part for one in form["evidence"] for part in one.replace(",", "|").split("|")]
        form["evidence"] = [part.strip() for part in form["evidence"] if part.strip()]
    return form


def _first(values: Mapping[str, list[str]], names: tuple[str, ...]) -> str:
    return next((values[name][0].strip() for name in names if values.get(name) and values[name][0].strip()), "")


def _number(values: Mapping[str, list[str]], names: tuple[str, ...], most: float) -> float | None:
    """A number from 0 to `most`, with or without a dollar sign."""
    try:
        found = float(_first(values, names).lstrip("$"))
    except ValueError:
        return None
    return found if math.isfinite(found) and 0 <= found <= most else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def told(done: Imported) -> list[Diagnostic]:
    """What is wrong with rows, the first ones, what is the same of several once, and with people."""
    alike: dict[str, list[Diagnostic]] = defaultdict(list)
    for one in done.wrong:
        alike[one.message].append(one)
    found = [_once(those) for those in alike.values()][:_TOLD]
    if len(alike) > _TOLD:
        more = f"{sum(map(len, list(alike.values())[_TOLD:])):,} more rows are wrong"
        found.append(Diagnostic("more-bad-rows", more, None, None, "warning"))
    for worker in done.failed:
        message = f"`{worker}` failed the attention checks; nothing of theirs is used"
        found.append(Diagnostic("failed-checks", message, None, None, "warning"))
    return found


def _once(those: Sequence[Diagnostic]) -> Diagnostic:
    """The first of several that say the same."""
    more = f" (and {len(those) - 1:,} more rows)" if len(those) > 1 else ""
    return replace(those[0], message=f"{those[0].message}{more}")
