"""Importing answers from crowdsourcing platforms. Each row is checked, then imported or reported.

A row says which task it answers, who answered, and the answer. Its columns may be those of MTurk (`WorkerId`, `Answer.label`),
of Prolific, or the plain names in an export.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hcmlang.annotate.answers import CANNOT_TELL, FindBroken, fields_of, payload_of, problems_of
from hcmlang.annotate.rows import Cells, RowError, listed, read_source, rows_of
from hcmlang.diagnostics import Diagnostic, Span, SpecError
from hcmlang.hashing import content_key
from hcmlang.teachers.annotation.assignment import Assignments
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import AnnotationTask

#: Messages about rows that are shown.
_SHOWN = 20
#: Possible names of each column. The first name present counts (:class:`hcmlang.annotate.rows.Cells`).
_TASK = ("task", "Answer.task", "Input.task")
_WORKER = ("worker", "annotator", "WorkerId", "PROLIFIC_PID", "Participant id")
_SECONDS = ("seconds", "Answer.seconds", "WorkTimeInSeconds", "Time taken")
_PAY = ("usd", "pay", "Reward")
_ASSIGNMENT = ("assignment", "AssignmentId", "SESSION_ID", "Submission id")
_STATUS = ("AssignmentStatus", "Status")
#: States in which a platform accepts and pays nothing.
_VOID = ("rejected", "returned", "timed-out", "timed out")
#: Values for a button that was not pressed. Some platforms and tables write something in every cell.
_NO = ("0", "0.0", "false", "no", "off", "none", "null", "{}")
#: Maximum length of a worker's name or id.
_LONGEST_WORKER = 100
_DOLLARS = re.compile(r"^(US)?\s*\$|^USD\b|\b\s*USD$", re.IGNORECASE)
#: More seconds or US dollars must be a mistake in the file.
_MOST_SECONDS, _MOST_USD = 24 * 3600, 1000
_RECEIPTS = {
    "saved": "imported",
    "restored": "imported after all",
    "again": "already imported",
    "late": "too late to be used",
    "check": "attention checks",
    "refused": "refused for failed attention checks",
    "own": "about their own texts or labels, not used",
}


@dataclass
class Imported:
    """The result of an import.

    `rows` counts rows by receipt (the keys of the summary). `failed` are the annotators who failed the attention checks;
    `staying` counts their answers that an earlier import accepted and that stay. `wrong` has what is wrong with rows.
    """

    rows: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0
    failed: tuple[str, ...] = ()
    staying: Counter[str] = field(default_factory=Counter)
    wrong: list[Diagnostic] = field(default_factory=list)

    def summary(self) -> str:
        """The result in one line."""
        parts = [f"{self.rows[receipt]:,} {words}" for receipt, words in _RECEIPTS.items() if self.rows[receipt]]
        if self.wrong:
            parts.append(f"{len(self.wrong):,} wrong")
        return f"{', '.join(parts) or 'no rows'}; pay {self.usd:,.2f} US dollars"


@dataclass(frozen=True)
class _WorkerAnswer:
    """A checked row of a file."""

    task: AnnotationTask
    worker: str
    payload: dict[str, Any]
    seconds: float
    usd: float | None
    token: str


def read(paths: Sequence[Path], tasks: TaskStore, find_broken: FindBroken, failures: int = 0) -> Imported:
    """Import files of answers (CSV or JSON lines) together.

    An annotator who fails more than `failures` attention checks is refused, with all rows of these files. Importing the same
    files again changes nothing, except that a larger `failures` accepts annotators who were refused.

    Raises :class:`DiagnosticError` if a file cannot be read. Then nothing is imported.
    """
    result, checks = Imported(), tasks.checks()
    answers = [answer for path in paths for answer in _answers(path, tasks, find_broken, result)]
    missed: defaultdict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.task.key in checks and answer.payload["label"] != checks[answer.task.key]:
            missed[answer.worker].add(answer.task.key)  # a set, because a row may be there more than once
    result.failed = tuple(sorted(worker for worker, keys in missed.items() if len(keys) > failures))
    for answer in answers:
        _record(answer, tasks, checks, answer.worker in result.failed, result)
    return result


def _answers(path: Path, tasks: TaskStore, find_broken: FindBroken, result: Imported) -> list[_WorkerAnswer]:
    """The good rows of a file. The problems of the others go to `result`."""
    source = read_source(path)
    answers: list[_WorkerAnswer] = []
    empty = True
    for number, cells in rows_of(source, {"the task": _TASK, "the annotator": _WORKER}):
        empty = False
        try:
            if isinstance(cells, RowError):
                raise cells
            answer = _answer(cells, tasks, find_broken)
        except RowError as error:
            span = Span.point(source, number)
            result.wrong.append(Diagnostic("bad-row", error.message, span, error.hint, "warning"))
        else:
            answers += [answer] if answer is not None else []
    if empty:
        raise SpecError(Diagnostic("no-rows", f"{path} has no rows"))
    return answers


def _record(answer: _WorkerAnswer, tasks: TaskStore, checks: Mapping[str, str], failed: bool, result: Imported) -> None:
    own = Assignments(tasks).about_own_work(answer.task.key, answer.worker)
    receipt: str = tasks.record(
        answer.task.key,
        answer.worker,
        answer.payload,
        seconds=answer.seconds,
        token=answer.token,
        usd=answer.usd,
        source="import",
        refused=failed or own,
    )
    if failed and receipt == "again" and tasks.counts(answer.token):
        result.staying[answer.worker] += 1
    if receipt not in ("again", "restored"):
        result.usd += answer.usd if answer.usd is not None else answer.seconds / 3600 * answer.task.usd_per_hour
        if answer.task.key in checks:
            receipt = "check"
        elif failed or own:
            receipt = "refused" if failed else "own"
    result.rows[receipt] += 1


def _answer(cells: Cells, tasks: TaskStore, find_broken: FindBroken) -> _WorkerAnswer | None:
    """Check a row; None if the platform rejected it. Raises :class:`RowError`."""
    if cells.first(*_STATUS).casefold() in _VOID:
        return None
    key, worker = cells.first(*_TASK), cells.first(*_WORKER)
    if not key:
        raise RowError("this row has no task", f"the column is called {listed(_TASK)}")
    task = tasks.task(key)
    if task is None:
        raise RowError(f"this run has no task `{key[:80]}`", "is this file from another run?")
    if not worker:
        raise RowError("this row does not say who answered", f"the column is called {listed(_WORKER)}")
    if len(worker) > _LONGEST_WORKER or not worker.isprintable():
        shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in worker[:40])
        hint = f"a name or id has at most {_LONGEST_WORKER} characters, all of them printable"
        raise RowError(f"`{shown}` is not a name or id", hint)
    form = _form(task, cells)
    if not form:
        hint = f"the columns of an answer are {listed(fields_of(task))}; this row has {listed(cells.names[:12])}"
        if task.job in ("verify", "adjudicate"):
            hint += f"; the labels are {', '.join(task.content['labels'])}, and {CANNOT_TELL} for `cannot tell`"
        raise RowError("this row has no answer", hint)
    if task.job == "characterize":
        numbers = [str(mistake["number"]) for mistake in task.content["mistakes"]]
        unknown = [part for part in form.get("evidence", []) if part not in numbers]
        if unknown:
            message = f"evidence: there is no text `{unknown[0][:40]}`"
            raise RowError(message, f"the texts have the numbers 1 to {len(numbers)}")
    payload = payload_of(task, form)
    problems = problems_of(task, payload, find_broken)
    if problems:
        raise RowError(f"{problems[0].part}: {problems[0].message}")
    seconds = _number(cells.first(*_SECONDS), _MOST_SECONDS, "a valid time for one answer", "seconds are")
    pay = "with a point before the cents; convert other currencies to US dollars; pay is"
    usd = _number(cells.first(*_PAY), _MOST_USD, "valid pay in US dollars for one answer", pay)
    assignment = cells.first(*_ASSIGNMENT)
    worker = Assignments(tasks).join(worker)
    token = f"import/{assignment or content_key(payload)}/{worker}/{key}"
    return _WorkerAnswer(task, worker, payload, seconds or 0.0, usd, token)


def _form(task: AnnotationTask, cells: Cells) -> dict[str, list[str]]:
    """The form that the page would send; empty if there is no answer."""
    values_of = {name: cells.all(name, f"Answer.{name}") for name in fields_of(task)}
    form = {name: values for name, values in values_of.items() if values}
    for button in ("nothing", "impossible"):
        if button in form and form[button][0].strip().casefold() in _NO:
            del form[button]
    if "triggers" in form:
        form["triggers"] = [", ".join(form["triggers"])]
    for name, values in form.items():
        if name != "evidence" and len(values) > 1:
            shown = " and ".join(f"`{value[:40]}`" for value in values[:2])
            raise RowError(f"{name}: this row has several answers: {shown}", "keep one of them")
    if "evidence" in form:
        form["evidence"] = [part for value in form["evidence"] for part in re.split(r"[|,;\s]+", value) if part]
    if "label" in form:
        label = form["label"][0].strip()
        same = [known for known in task.content["labels"] if known.casefold() == label.casefold()]
        form["label"] = same if len(same) == 1 else [label]
    return form


def _number(text: str, most: float, what: str, which: str) -> float | None:
    """A number from 0 to `most`, with or without a dollar sign; None if the text is empty. Raises :class:`RowError`."""
    if not text:
        return None
    try:
        number = float(_DOLLARS.sub("", text))
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        raise RowError(f"`{text[:40]}` is not {what}", f"{which} a number from 0 to {most:,}")
    return number


def diagnostics_of(result: Imported) -> list[Diagnostic]:
    """What is wrong with the rows, the first ones and each problem once; and who failed the attention checks."""
    by_message: dict[str, list[Diagnostic]] = defaultdict(list)
    for diagnostic in result.wrong:
        by_message[diagnostic.message].append(diagnostic)
    shown = [_with_count(same) for same in by_message.values()][:_SHOWN]
    if len(by_message) > _SHOWN:
        more = f"{sum(map(len, list(by_message.values())[_SHOWN:])):,} more rows are wrong"
        shown.append(Diagnostic("more-bad-rows", more, severity="warning"))
    return [*shown, *(_failed(worker, result.staying[worker]) for worker in result.failed)]


def _with_count(same: Sequence[Diagnostic]) -> Diagnostic:
    """The first of several equal diagnostics."""
    more = f" (and {len(same) - 1:,} more rows)" if len(same) > 1 else ""
    return replace(same[0], message=f"{same[0].message}{more}")


def _failed(worker: str, staying: int) -> Diagnostic:
    """An annotator failed the attention checks."""
    message, hint = "none of their answers is used", None
    if staying:
        answers = f"{staying:,} {'answer' if staying == 1 else 'answers'}"
        message = f"what an earlier import accepted from them stays ({answers})"
        hint = (
            "an import takes nothing back: run the spec into another folder and import there with this --failures, or undo "
            "answers one by one on the page, under that name"
        )
    return Diagnostic("failed-checks", f"`{worker}` failed the attention checks; {message}", None, hint, "warning")
