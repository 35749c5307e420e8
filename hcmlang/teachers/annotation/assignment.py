"""Assigns tasks to people by leases, so that two people never do the same work unless both are needed.

People do not verify their own texts or settle their own disagreements while somebody else could.
"""

from __future__ import annotations

import json
import math
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hcmlang.engines.hosted.journal import NANO
from hcmlang.teachers.annotation.store import TaskStore
from hcmlang.teachers.annotation.tasks import JOBS, AnnotationTask

#: Seconds before a lease without activity ends. An open page in use sends drafts.
LEASE = 600.0
#: Seconds without activity after which time does not count.
IDLE = 60.0
#: Seconds for which a person counts as present after their last request for a task.
PRESENT = 3600.0

_LENT = "(select count(*) from people_leases l where l.task = t.key and l.annotator <> :me and l.until > :now)"
_SECONDS = "coalesce((select seconds from people_drafts d where d.task = :key and d.annotator = :me), 0)"
_SKIPPED = "(select at from people_skips s where s.task = t.key and s.annotator = :me)"


def _own(who: str) -> str:
    """Whether a task is about a person's own work: their text, or a disagreement in which they took part."""
    return f"(t.author = {who} or {_answered('t.parent', who)})"


def _answered(task: str, who: str) -> str:
    return (
        f"exists (select 1 from people_answers a where a.task = {task} and a.annotator = {who} and a.state = 'counts')"
    )


# Somebody who is present and could do the task.
_OTHERS = f"""
    exists (select 1 from people_names p where p.name <> :me and p.seen > :now - {PRESENT}
    and not {_own("p.name")} and not {_answered("t.key", "p.name")})
"""
_OPEN = f"t.wanted and t.answered < t.needed and t.answered + {_LENT} < t.needed and not {_answered('t.key', ':me')}"
# First the work of others, then own work that nobody else present can do, then skipped tasks.
_NEXT = f"""
    select key from people_tasks t where {_OPEN} and not {_own(":me")} and {_SKIPPED} is null order by position limit 1
"""
_LEFT = f"""
    select key from people_tasks t where {_OPEN} and not ({_own(":me")} and {_OTHERS})
    order by {_SKIPPED} is not null, {_SKIPPED}, position limit 1
"""


@dataclass(frozen=True)
class Lent:
    """A task that is leased to a person: the draft so far, and the seconds spent on it. `since` is when the work would have
    started without a break."""

    task: AnnotationTask
    since: float
    draft: Mapping[str, Any] | None
    seconds: float


def worked(lent: Lent, now: float, active: str) -> float:
    """Seconds of work on a task: those that the page counted (`active`), at most the time passed; without a count, the known
    seconds and the time since, with idle time cut."""
    passed = max(0.0, now - lent.since)
    try:
        counted = float(active)
    except ValueError:
        return lent.seconds + min(max(0.0, passed - lent.seconds), IDLE)
    return min(max(0.0, counted), passed) if math.isfinite(counted) else min(lent.seconds, passed)


class Assignments:
    """The queue of each person. `clock` returns the time in seconds."""

    def __init__(self, tasks: TaskStore, clock: Any = time.time) -> None:
        self._tasks = tasks
        self._clock = clock

    def now(self) -> float:
        """The time in seconds."""
        return float(self._clock())

    def join(self, name: str) -> str:
        """The name of a person as first entered: case, spaces and Unicode forms do not make a new person."""
        name = unicodedata.normalize("NFC", " ".join(name.split()))
        with self._tasks.writing() as db:
            db.execute("insert or ignore into people_names values (?, ?, 0)", (_one_form(name), name))
            (known,) = db.execute("select name from people_names where key = ?", (_one_form(name),)).fetchone()
        return str(known)

    def about_own_work(self, key: str, annotator: str) -> bool:
        """Whether a task is about a text of the person, or a disagreement in which they took part."""
        query = f"select 1 from people_tasks t where t.key = ? and {_own('?')}"
        return bool(self._tasks.rows(query, key, annotator, annotator))

    def next(self, annotator: str) -> Lent | None:
        """The person's current task, or a new one; None if nothing is left for them."""
        now = self._clock()
        values = {"me": annotator, "form": _one_form(annotator), "now": now, "until": now + LEASE}
        with self._tasks.writing(durable=False) as db:
            db.execute(
                "insert into people_names values (:form, :me, :now) on conflict (key) do update set seen = excluded.seen",
                values,
            )
            held = f"""
                select key from people_tasks t join people_leases h on h.task = t.key and h.annotator = :me
                where {_OPEN} limit 1
            """
            row = next((row for query in (held, _NEXT, _LEFT) if (row := db.execute(query, values).fetchone())), None)
            if row is None:
                return None
            values["key"] = row[0]
            db.execute("delete from people_leases where annotator = :me and task <> :key", values)
            # If the lease ended and another person has the task, typing does not get it back.
            db.execute("delete from people_leases where task = :key and annotator <> :me and until <= :now", values)
            db.execute(
                f"insert into people_leases values (:key, :me, :now - {_SECONDS}, :until)"
                " on conflict (task, annotator) do update set until = excluded.until",
                values,
            )
        return self.lent(row[0], annotator)

    def lent(self, key: str, annotator: str) -> Lent | None:
        """A task leased to the person."""
        rows = self._tasks.rows("select since from people_leases where task = ? and annotator = ?", key, annotator)
        return self._with_draft(key, annotator, lambda seconds: float(rows[0][0])) if rows else None

    def left(self, key: str, annotator: str) -> Lent | None:
        """A task leased to the person before, with their draft. At most :data:`IDLE` seconds since then count."""
        return self._with_draft(key, annotator, lambda seconds: self.now() - seconds - IDLE)

    def _with_draft(self, key: str, annotator: str, since: Callable[[float], float]) -> Lent | None:
        query = "select payload, seconds from people_drafts where task = ? and annotator = ?"
        payload, seconds = next(iter(self._tasks.rows(query, key, annotator)), ("null", 0.0))
        task = self._tasks.task(key)
        return Lent(task, since(seconds), json.loads(payload), seconds) if task is not None else None

    def keep(self, key: str, annotator: str, draft: Mapping[str, Any], seconds: float) -> None:
        """Save a draft and renew the lease."""
        with self._tasks.writing() as db:
            values = (self._clock() + LEASE, key, annotator)
            if db.execute("update people_leases set until = ? where task = ? and annotator = ?", values).rowcount:
                row = (key, annotator, json.dumps(dict(draft), ensure_ascii=False), seconds)
                db.execute("insert or replace into people_drafts values (?, ?, ?, ?)", row)

    def skip(self, key: str, annotator: str) -> None:
        """Leave a task for later, or for somebody else."""
        with self._tasks.writing() as db:
            db.execute("delete from people_leases where task = ? and annotator = ?", (key, annotator))
            if db.execute("select 1 from people_tasks where key = ?", (key,)).fetchone():
                db.execute("insert or replace into people_skips values (?, ?, ?)", (key, annotator, self._clock()))

    def release(self, annotator: str) -> None:
        """End a person's leases so that others may get the tasks. Drafts are kept."""
        with self._tasks.writing(durable=False) as db:
            db.execute("delete from people_leases where annotator = ?", (annotator,))

    def undo(self, annotator: str) -> AnnotationTask | None:
        """Take back the person's last answer, unless a step of the run has used it or somebody has decided on it. The person
        gets the task again, with the answer as a draft. None if there is nothing to take back."""
        with self._tasks.writing() as db:
            row = db.execute(
                "select number, task, payload from people_answers where annotator = ? and state = 'counts'"
                " order by number desc limit 1",
                (annotator,),
            ).fetchone()
            if row is None:
                return None
            number, key, payload = row
            usable = "select 1 from people_tasks t where key = ? and wanted and not exists"
            settled = "(select 1 from people_tasks c where c.parent = t.key and c.answered > 0)"
            if not db.execute(f"{usable} {settled}", (key,)).fetchone():
                return None
            db.execute("update people_answers set state = 'undone' where number = ?", (number,))
            db.execute("update people_tasks set answered = answered - 1 where key = ?", (key,))
            for table in ("people_wanted", "people_leases"):
                db.execute(f"delete from {table} where task in (select key from people_tasks where parent = ?)", (key,))
            db.execute("delete from people_tasks where parent = ?", (key,))
            now = self._clock()
            db.execute("delete from people_leases where annotator = ?", (annotator,))
            db.execute("insert into people_leases values (?, ?, ?, ?)", (key, annotator, now, now + LEASE))
            db.execute("insert or replace into people_drafts values (?, ?, ?, 0)", (key, annotator, payload))
        return self._tasks.task(key)

    def progress(self) -> dict[str, tuple[int, int]]:
        """For each job with wanted tasks: the answers given, and the answers needed."""
        query = "select job, sum(answered), sum(needed) from people_tasks where wanted group by job"
        by_job = {job: (done, needed) for job, done, needed in self._tasks.rows(query)}
        return {job: by_job[job] for job in JOBS if job in by_job}

    def work_of(self, annotator: str) -> list[dict[str, Any]]:
        """All answers of a person, as their own copy."""
        query = """
            select t.job, t.arm, t.content, a.payload, a.seconds, a.nano_usd, a.state, a.finished, a.task
            from people_answers a join people_tasks t on t.key = a.task where a.annotator = ? order by a.number
        """
        return [
            {
                "task": key,
                "job": job,
                "arm": arm,
                "asked": json.loads(content),
                "answer": json.loads(payload),
                "seconds": round(seconds, 1),
                "usd": nano / NANO,
                "state": state,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(finished)),
            }
            for job, arm, content, payload, seconds, nano, state, finished, key in self._tasks.rows(query, annotator)
        ]


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
