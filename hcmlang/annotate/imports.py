"""Answers that come back from crowdsourcing platforms: each row is checked, and taken or told about.

A row names the task, who answered and what; columns may be those of MTurk (`WorkerId`, `Answer.label`), of Prolific, or the
plain names that `hcmlang annotate export` tells.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hcmlang.annotate.answers import CANNOT_TELL, Broken, names_of, payload_of, problems_of
from hcmlang.annotate.rows import Cells, RowError, listed, rows_of, source_of
from hcmlang.diagnostics import Diagnostic, Span, SpecError
from hcmlang.hashing import content_key
from hcmlang.teachers.asked import Task
from hcmlang.teachers.assignment import Assignments
from hcmlang.teachers.tasks import Tasks

#: Rows that are told of.
_TOLD = 20
#: What a column may be called, the first that is there counts (:class:`hcmlang.annotate.rows.Cells`).
_TASK = ("task", "Answer.task", "Input.task")
_WORKER = ("worker", "annotator", "WorkerId", "PROLIFIC_PID", "Participant id")
_SECONDS = ("seconds", "Answer.seconds", "WorkTimeInSeconds", "Time taken")
_PAY = ("usd", "pay", "Reward")
_ASSIGNMENT = ("assignment", "AssignmentId", "SESSION_ID", "Submission id")
_STATUS = ("AssignmentStatus", "Status")
#: States in which a platform has taken nothing, and pays nothing.
_VOID = ("rejected", "returned", "timed-out", "timed out")
#: What says that a button was not pressed: platforms and tables of one's own write something in every cell.
_NO = ("0", "0.0", "false", "no", "off", "none", "null", "{}")
#: Characters of a name or id.
_LONGEST_WORKER = 100
#: What may stand beside a number of US dollars.
_DOLLARS = re.compile(r"^(US)?\s*\$|^USD\b|\b\s*USD$", re.IGNORECASE)
#: More seconds, or US dollars, are a mistake in the file.
_MOST_SECONDS, _MOST_USD = 24 * 3600, 1000


@dataclass
class Imported:
    """What came of a file: rows by receipt (`saved`, `restored`, `again`, `late`, `check`, `refused`, `own`), what was
    paid, who failed the attention checks, how many answers of theirs were taken by an earlier import and stay, and what is
    wrong with rows."""

    rows: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0
    failed: tuple[str, ...] = ()
    staying: Counter[str] = field(default_factory=Counter)
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

    task: Task
    worker: str
    payload: dict[str, Any]
    seconds: float
    usd: float | None
    token: str


def read(paths: Sequence[Path], tasks: Tasks, broken: Broken, failures: int = 0) -> Imported:
    """Take in files of answers (CSV, or JSON lines) as if they were one. Whoever fails more than `failures` attention checks is
    refused with all rows of these files. The same files a second time change nothing, but that people who were refused are
    taken after all where they may fail more.

    Raises :class:`DiagnosticError` where a file cannot be read; then nothing is taken.
    """
    done, checks = Imported(), tasks.checks()
    rows = [row for path in paths for row in _rows(path, tasks, broken, done)]
    missed: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.task.key in checks and row.payload["label"] != checks[row.task.key]:
            missed[row.worker].add(row.task.key)  # once, however often the row is there
    done.failed = tuple(sorted(worker for worker, keys in missed.items() if len(keys) > failures))
    for row in rows:
        _take(row, tasks, checks, row.worker in done.failed, done)
    return done


def _rows(path: Path, tasks: Tasks, broken: Broken, done: Imported) -> list[_Row]:
    """The rows of a file that can be taken; what is wrong with the others goes to `done`."""
    source = source_of(path)
    rows: list[_Row] = []
    empty = True
    for number, cells in rows_of(source, {"the task": _TASK, "who answered": _WORKER}):
        empty = False
        try:
            if isinstance(cells, RowError):
                raise cells
            row = _row(cells, tasks, broken)
        except RowError as error:
            place = Span.point(source, number)
            done.wrong.append(Diagnostic("bad-row", error.message, place, error.hint, "warning"))
        else:
            rows += [row] if row is not None else []
    if empty:
        raise SpecError(Diagnostic("no-rows", f"{path} has no rows"))
    return rows


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
    if failed and receipt == "again" and tasks.counts(row.token):
        done.staying[row.worker] += 1
    if receipt not in ("again", "restored"):
        done.usd += row.usd if row.usd is not None else row.seconds / 3600 * row.task.usd_per_hour
        if row.task.key in checks:
            receipt = "check"
        elif failed or own:
            receipt = "refused" if failed else "own"
    done.rows[receipt] += 1


def _row(cells: Cells, tasks: Tasks, broken: Broken) -> _Row | None:
    """A row that can be taken; None for one that the platform has sent back. Raises :class:`RowError`."""
    if cells.first(*_STATUS).casefold() in _VOID:
        return None
    key, worker = cells.first(*_TASK), cells.first(*_WORKER)
    if not key:
        raise RowError("the row names no task", f"it stands in a column {listed(_TASK)}")
    task = tasks.task(key)
    if task is None:
        raise RowError(f"this run has no task `{key[:80]}`", "is the file of another run?")
    if not worker:
        raise RowError("the row does not say who answered", f"it stands in a column {listed(_WORKER)}")
    if len(worker) > _LONGEST_WORKER or not worker.isprintable():
        shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in worker[:40])
        hint = f"a name or id has at most {_LONGEST_WORKER} characters, and none that cannot be seen"
        raise RowError(f"`{shown}` is no name of who answered", hint)
    form = _form(task, cells)
    if not form:
        hint = f"an answer stands in {listed(names_of(task))}; this row has {listed(cells.names[:12])}"
        if task.job in ("verify", "adjudicate"):
            hint += f"; the labels are {', '.join(task.content['labels'])}, and {CANNOT_TELL} for who cannot tell"
        raise RowError("the row has no answer", hint)
    if task.job == "characterize":
        known = [str(one["number"]) for one in task.content["mistakes"]]
        strange = [part for part in form.get("evidence", []) if part not in known]
        if strange:
            raise RowError(
                f"evidence: there is no text `{strange[0][:40]}`", f"the texts have the numbers 1 to {len(known)}"
            )
    payload = payload_of(task, form)
    problems = problems_of(task, payload, broken)
    if problems:
        raise RowError(f"{problems[0].part}: {problems[0].message}")
    seconds = _number(cells.first(*_SECONDS), _MOST_SECONDS, "time that one answer takes", "seconds are")
    pay = "with a point before the cents; turn other currencies into US dollars; pay is"
    usd = _number(cells.first(*_PAY), _MOST_USD, "pay in US dollars for one answer", pay)
    assignment = cells.first(*_ASSIGNMENT)
    worker = Assignments(tasks).join(worker)
    token = f"import/{assignment or content_key(payload)}/{worker}/{key}"
    return _Row(task, worker, payload, seconds or 0.0, usd, token)


def _form(task: Task, cells: Cells) -> dict[str, list[str]]:
    """What a form of the page would send; empty where no answer is there."""
    found = {name: cells.all(name, f"Answer.{name}") for name in names_of(task)}
    form = {name: values for name, values in found.items() if values}
    for button in ("nothing", "impossible"):
        if button in form and form[button][0].strip().casefold() in _NO:
            del form[button]
    if "triggers" in form:
        form["triggers"] = [", ".join(form["triggers"])]
    for name, values in form.items():
        if name != "evidence" and len(values) > 1:
            shown = " and ".join(f"`{one[:40]}`" for one in values[:2])
            raise RowError(f"{name}: there is one answer, and this row says {shown}", "leave one of them")
    if "evidence" in form:
        form["evidence"] = [part for one in form["evidence"] for part in re.split(r"[|,;\s]+", one) if part]
    if "label" in form:
        form["label"] = [_label(task, form["label"][0].strip())]
    return form


def _label(task: Task, said: str) -> str:
    """The label that is meant, where only its case is another; else what was said."""
    meant = [one for one in task.content["labels"] if one.casefold() == said.casefold()]
    return meant[0] if len(meant) == 1 else said


def _number(said: str, most: float, what: str, which: str) -> float | None:
    """A number from 0 to `most`, with or without a sign for US dollars; None where nothing is said. Raises
    :class:`RowError`."""
    if not said:
        return None
    try:
        found = float(_DOLLARS.sub("", said))
    except ValueError:
        found = math.nan
    if not 0 <= found <= most:
        raise RowError(f"`{said[:40]}` is no {what}", f"{which} a number from 0 to {most:,}")
    return found


def told(done: Imported) -> list[Diagnostic]:
    """What is wrong with rows, the first ones, what is the same of several once, and with people."""
    alike: dict[str, list[Diagnostic]] = defaultdict(list)
    for one in done.wrong:
        alike[one.message].append(one)
    found = [_once(those) for those in alike.values()][:_TOLD]
    if len(alike) > _TOLD:
        more = f"{sum(map(len, list(alike.values())[_TOLD:])):,} more rows are wrong"
        found.append(Diagnostic("more-bad-rows", more, None, None, "warning"))
    return [*found, *(_failed(worker, done.staying[worker]) for worker in done.failed)]


def _failed(worker: str, staying: int) -> Diagnostic:
    """Somebody failed the attention checks, of whom an earlier import took answers that stay."""
    message, hint = "nothing of theirs is used", None
    if staying:
        message = f"what an earlier import took of theirs stays ({staying:,} {'answer' if staying == 1 else 'answers'})"
        hint = (
            "an import takes nothing back: run the spec into another folder and import there with this --failures, or undo "
            "answers one by one on the page, under that name"
        )
    return Diagnostic("failed-checks", f"`{worker}` failed the attention checks; {message}", None, hint, "warning")


def _once(those: Sequence[Diagnostic]) -> Diagnostic:
    """The first of several that say the same."""
    more = f" (and {len(those) - 1:,} more rows)" if len(those) > 1 else ""
    return replace(those[0], message=f"{those[0].message}{more}")
