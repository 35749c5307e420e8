"""Tasks for people and their answers, in tables of a run's journal.

A task is one page of work: a group to characterize, a text to write, a text to label, a disagreement to settle. It has
everything that the page shows. An answer is on the disk before the page says so; an answer sent twice counts once; answers
are never deleted.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from hcmlang.database import connect, has_table, open_read_only, written
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.journal import NANO
from hcmlang.teachers.annotation.tasks import AnnotationTask, Answer, adjudication_key

#: The result of recording an answer. `saved`: it counts. `restored`: it was refused before and counts now. `again`: it was
#: recorded before. `late`: the task has enough answers or is not wanted any more, so it is kept and paid but not used.
#: `unknown`: there is no such task.
Receipt = Literal["saved", "restored", "again", "late", "unknown"]

# Steps of a run (places) want tasks. `state` of an answer: `counts`, `undone`, `unused`, `refused`. An attention check is a
# task with a known answer that no step wants.
_SCHEMA = """
create table if not exists people_tasks (
    key text primary key, position integer not null, job text not null, arm text not null, content text not null,
    needed integer not null, answered integer not null default 0, wanted integer not null default 1,
    nano_usd_per_hour integer not null, author text not null, parent text not null
);
create index if not exists people_open on people_tasks (position) where wanted and answered < needed;
create index if not exists people_progress on people_tasks (job, answered, needed) where wanted;
create index if not exists people_parent on people_tasks (parent) where parent <> '';
create table if not exists people_places (place text primary key, context text not null);
create table if not exists people_wanted (place text not null, task text not null, primary key (place, task));
create index if not exists people_wanted_task on people_wanted (task);
create table if not exists people_answers (
    number integer primary key, task text not null, annotator text not null, payload text not null,
    seconds real not null, nano_usd integer not null, token text not null unique, source text not null,
    state text not null, finished real not null
);
create unique index if not exists people_once on people_answers (task, annotator) where state = 'counts';
create index if not exists people_by on people_answers (annotator, number);
create table if not exists people_leases (
    task text not null, annotator text not null, since real not null, until real not null, primary key (task, annotator)
);
create index if not exists people_leases_of on people_leases (annotator);
create table if not exists people_skips (
    task text not null, annotator text not null, at real not null, primary key (task, annotator)
);
create table if not exists people_drafts (
    task text not null, annotator text not null, payload text not null, seconds real not null, primary key (task, annotator)
);
create table if not exists people_checks (task text primary key, expected text not null);
create table if not exists people_names (key text primary key, name text not null, seen real not null);
create table if not exists people_settings (name text primary key, value text not null);
"""


def has_tasks(journal: Path) -> bool:
    """Whether a run has tasks for people. Raises :class:`DiagnosticError` if its journal cannot be opened."""
    if not journal.is_file():
        return False
    with written(journal), open_read_only(journal) as connection:
        return has_table(connection, "people_tasks")


def waiting(journal: Path) -> int:
    """The number of open tasks of a run."""
    if not has_tasks(journal):
        return 0
    with open_read_only(journal) as connection:
        query = "select count(*) from people_tasks where wanted and answered < needed"
        return int(connection.execute(query).fetchone()[0])


class TaskStore:
    """The tasks and answers of a run, for several threads, and several processes on one journal. Use it as a context manager,
    or close it.

    Raises :class:`DiagnosticError` if the journal cannot be written, is damaged, or was moved.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._connection = connect(journal, _SCHEMA)
        self._file = _file_at(journal)
        # Readers do not wait for writers.
        self._reader = sqlite3.connect(journal, timeout=60, check_same_thread=False)
        self._reader.execute("pragma query_only = on")
        self._writing, self._reading = threading.Lock(), threading.Lock()

    def __enter__(self) -> TaskStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._connection.close()

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """An exclusive transaction, on the disk when the block ends. If it is not `durable`, a power cut may lose it, but a
        killed process does not."""
        with self._writing, written(self._path), self._connection:
            self._connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._connection.execute("begin immediate")
            # A removed or moved file can still be written, but its content would be lost.
            if _file_at(self._path) != self._file:
                raise _gone(self._path)
            yield self._connection

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._reading, written(self._path):
            return self._reader.execute(query, values).fetchall()

    # ------------------------------------------------------------------------------------------------- the run's side

    def want(self, place: str, tasks: Sequence[AnnotationTask], context: Mapping[str, Any]) -> dict[str, list[Answer]]:
        """Set the tasks that a step of the run (`place`) wants now. Returns the answers of each task that count. `context` is
        what answers are checked with."""
        with self.writing() as db:
            db.execute("insert or replace into people_places values (?, ?)", (place, _json(context)))
            (last,) = db.execute("select coalesce(max(position), 0) from people_tasks").fetchone()
            for number, task in enumerate(tasks, start=last + 1):
                wage = round(task.usd_per_hour * NANO)
                row = (task.key, number, task.job, task.arm, _json(task.content), task.needed, wage, task.author, "")
                db.execute(
                    "insert into people_tasks (key, position, job, arm, content, needed, nano_usd_per_hour, author, parent)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (key) do update set"
                    " needed = excluded.needed, nano_usd_per_hour = excluded.nano_usd_per_hour",
                    row,
                )
            db.execute("delete from people_wanted where place = ?", (place,))
            keys = list(dict.fromkeys(task.key for task in tasks))
            db.executemany("insert into people_wanted values (?, ?)", [(place, key) for key in keys])
            for task in tasks:
                if task.job == "verify":
                    _settle_disagreement(db, task.key)
            _mark_wanted(db)
        return {key: self.answers(key) for key in keys}

    def retire(self, places: Sequence[str]) -> None:
        """Remove the tasks of all other places."""
        with self.writing() as db:
            marks = ", ".join("?" * len(places))
            db.execute(f"delete from people_wanted where place not in ({marks})", list(places))
            _mark_wanted(db)

    def answers(self, key: str) -> list[Answer]:
        """The answers of a task that count, in order of arrival."""
        columns = "task, annotator, payload, seconds, nano_usd, finished"
        query = f"select {columns} from people_answers where task = ? and state = 'counts' order by number"
        return [
            Answer(task, annotator, json.loads(payload), seconds, nano / NANO, finished)
            for task, annotator, payload, seconds, nano, finished in self.rows(query, key)
        ]

    def open(self, place: str | None = None) -> dict[str, int]:
        """The number of open tasks by job, of one place or of all."""
        query = "select job, count(*) from people_tasks where wanted and answered < needed"
        if place is None:
            return dict(self.rows(f"{query} group by job"))
        return dict(
            self.rows(f"{query} and key in (select task from people_wanted where place = ?) group by job", place)
        )

    def missing(self, place: str) -> dict[str, int]:
        """The number of missing answers to the tasks of a place, by job."""
        query = """
            select job, sum(needed - answered) from people_tasks where wanted and answered < needed
            and key in (select task from people_wanted where place = ?) group by job
        """
        return dict(self.rows(query, place))

    def verdict(self, key: str) -> tuple[str | None, list[Answer]] | None:
        """The label that people agree on for a text to verify (None for "cannot tell") and the answers; None while answers
        are missing or a disagreement is open."""
        answers = self.answers(key)
        labels = {answer.payload["label"] for answer in answers}
        ((needed, answered),) = self.rows("select needed, answered from people_tasks where key = ?", key)
        if answered < needed:
            return None
        if len(labels) == 1:
            return labels.pop(), answers
        settled = self.answers(adjudication_key(key))
        return (settled[0].payload["label"], answers) if settled else None

    # ------------------------------------------------------------------------------------------------- people's side

    def task(self, key: str) -> AnnotationTask | None:
        """A task by its key."""
        columns = "key, job, arm, content, needed, nano_usd_per_hour, author"
        for key_, job, arm, content, needed, nano, author in self.rows(
            f"select {columns} from people_tasks where key = ?", key
        ):
            return AnnotationTask(key_, job, arm, json.loads(content), needed, nano / NANO, author)
        return None

    def place_of(self, key: str) -> tuple[str, dict[str, Any]] | None:
        """The step that waits for a task, and the context of its answers."""
        query = (
            "select w.place, p.context from people_wanted w join people_places p on p.place = w.place where w.task = ?"
        )
        rows = self.rows(f"{query} limit 1", key)
        return (rows[0][0], json.loads(rows[0][1])) if rows else None

    def texts(self, place: str) -> list[tuple[str, dict[str, str]]]:
        """The texts written so far for the step `place`, with the keys of their tasks, in order of arrival."""
        query = """
            select a.task, a.payload from people_answers a join people_wanted w on w.task = a.task
            where w.place = ? and a.state = 'counts' order by a.number
        """
        answers = [(key, json.loads(payload)) for key, payload in self.rows(query, place)]
        return [(key, payload["fields"]) for key, payload in answers if not payload.get("impossible")]

    def wanted(self) -> list[tuple[AnnotationTask, int]]:
        """The open tasks and the number of missing answers, in order."""
        query = "select key, needed - answered from people_tasks where wanted and answered < needed order by position"
        tasks = [(self.task(key), missing) for key, missing in self.rows(query)]
        return [(task, missing) for task, missing in tasks if task is not None]

    def add_checks(self, checks: Sequence[tuple[AnnotationTask, str]]) -> None:
        """Add attention checks: tasks with a known label, which people who read the text give."""
        with self.writing() as db:
            (last,) = db.execute("select coalesce(max(position), 0) from people_tasks").fetchone()
            for number, (task, expected) in enumerate(checks, start=last + 1):
                db.execute(
                    "insert or ignore into people_tasks (key, position, job, arm, content, needed, wanted, nano_usd_per_hour,"
                    " author, parent) values (?, ?, ?, ?, ?, 0, 0, ?, '', '')",
                    (task.key, number, task.job, task.arm, _json(task.content), round(task.usd_per_hour * NANO)),
                )
                db.execute("insert or ignore into people_checks values (?, ?)", (task.key, expected))

    def checks(self) -> dict[str, str]:
        """The attention checks and their correct labels."""
        return dict(self.rows("select task, expected from people_checks"))

    def record(
        self,
        key: str,
        annotator: str,
        payload: Mapping[str, Any],
        *,
        seconds: float,
        token: str,
        usd: float | None = None,
        source: str = "page",
        refused: bool = False,
    ) -> Receipt:
        """Record an answer.

        Args:
            token: Identifies the piece of work: the same token again changes nothing, except that refused work is accepted
                when it is not `refused` any more.
            usd: What was paid, if that is not the time at the wage. Refused work is paid too.
        """
        now = time.time()
        with self.writing() as db:
            before = db.execute("select number, state from people_answers where token = ?", (token,)).fetchone()
            if before is not None and (refused or before[1] != "refused"):
                return "again"
            task = db.execute(
                "select job, needed, answered, wanted, nano_usd_per_hour from people_tasks where key = ?", (key,)
            ).fetchone()
            if task is None:
                return "unknown"
            job, needed, answered, wanted, wage = task
            own = "select 1 from people_answers where task = ? and annotator = ? and state = 'counts'"
            if not refused and db.execute(own, (key, annotator)).fetchone():
                return "again"
            counts = wanted and answered < needed and not refused
            state = "counts" if counts else "refused" if refused else "unused"
            if before is not None:
                db.execute("update people_answers set state = ? where number = ?", (state, before[0]))
            else:
                nano = round(usd * NANO) if usd is not None else round(seconds / 3600 * wage)
                row = (key, annotator, _json(payload), seconds, nano, token, source, state, now)
                db.execute(
                    "insert into people_answers (task, annotator, payload, seconds, nano_usd, token, source, state, finished)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
            for table in ("people_leases", "people_drafts", "people_skips"):
                db.execute(f"delete from {table} where task = ? and annotator = ?", (key, annotator))
            if not counts:
                return "late" if before is None else "again"
            db.execute("update people_tasks set answered = answered + 1 where key = ?", (key,))
            if job == "verify":
                _settle_disagreement(db, key)
        return "saved" if before is None else "restored"

    def counts(self, token: str) -> bool:
        """Whether the answer with this token counts."""
        return bool(self.rows("select 1 from people_answers where token = ? and state = 'counts'", token))

    def setting(self, name: str, default: str) -> str:
        """A setting; the first default stays."""
        with self.writing() as db:
            db.execute("insert or ignore into people_settings values (?, ?)", (name, default))
            (value,) = db.execute("select value from people_settings where name = ?", (name,)).fetchone()
        return str(value)


def _file_at(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _gone(journal: Path) -> DiagnosticError:
    message = f"{journal} is not the file that was opened: the run was removed, moved or replaced"
    hint = "answers are not saved; move the run back, or stop this command and start it where the run is"
    return DiagnosticError(Diagnostic("no-run", message, hint=hint))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)


def _mark_wanted(db: sqlite3.Connection) -> None:
    there = "exists (select 1 from people_wanted where task = key)"
    db.execute(f"update people_tasks set wanted = {there} where wanted <> {there}")


def _settle_disagreement(db: sqlite3.Connection, key: str) -> None:
    """Add an adjudication for a text if its answers are complete and differ; otherwise remove it."""
    arm, content, needed, answered, wage, author = db.execute(
        "select arm, content, needed, answered, nano_usd_per_hour, author from people_tasks where key = ?", (key,)
    ).fetchone()
    payloads = db.execute("select payload from people_answers where task = ? and state = 'counts'", (key,)).fetchall()
    labels = Counter(json.loads(payload)["label"] for (payload,) in payloads)
    child = adjudication_key(key)
    if answered < needed or len(labels) < 2:
        db.execute("delete from people_tasks where key = ? and answered = 0", (child,))
        db.execute("delete from people_wanted where task = ?", (child,))
        return
    shown = {**json.loads(content), "votes": sorted(labels.items(), key=lambda vote: (-vote[1], str(vote[0])))}
    (last,) = db.execute("select max(position) from people_tasks").fetchone()
    db.execute(
        "insert into people_tasks (key, position, job, arm, content, needed, nano_usd_per_hour, author, parent)"
        " values (?, ?, 'adjudicate', ?, ?, 1, ?, ?, ?) on conflict (key) do update set content = excluded.content",
        (child, last + 1, arm, _json(shown), wage, author, key),
    )
    db.execute("insert or ignore into people_wanted select place, ? from people_wanted where task = ?", (child, key))
    db.execute("update people_tasks set wanted = 1 where key = ?", (child,))
