"""The journal of calls: every answer is written down before it is used, so that no call is ever paid for twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hcmlang.database import connect, written
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, ChatResponse, Transport, Usage

#: US dollars are kept as whole billionths, so that sums are exact.
NANO = 1_000_000_000
#: Keys that are looked up in one question.
_KEYS = 500

_SCHEMA = """
create table if not exists calls (
    key text primary key, purpose text not null, arm text not null, model text not null,
    request text not null, response text, error text not null,
    input_tokens integer not null, output_tokens integer not null, nano_usd integer not null,
    attempts integer not null, seconds real not null, finished real not null
);
create table if not exists sessions (started real not null, ended real not null);
create table if not exists unanswered (
    session integer primary key, nano_usd integer not null, tokens integer not null, calls integer not null
);
"""
# What was paid for attempts that failed stays paid when a later one succeeds.
_RECORD = """
insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (key) do update set
    response = excluded.response, error = excluded.error, finished = excluded.finished,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    nano_usd = nano_usd + excluded.nano_usd, attempts = attempts + excluded.attempts, seconds = seconds + excluded.seconds
"""


@dataclass(frozen=True)
class Spent:
    """What a run has used up, failed calls and attempts included."""

    nano_usd: int = 0
    tokens: int = 0
    calls: int = 0
    hours: float = 0.0


class Journal:
    """The calls in a run's `journal.db`. Use as a context manager, or close it."""

    def __init__(self, path: Path) -> None:
        self.used: Callable[[], Spent] | None = None
        """What was used up since the journal was opened. What of it is in no call that was written down, as its attempts
        brought no answer, is written down beside them: it stays spent when the run goes on."""
        self._told = Spent()
        """What is in calls that were written down since then."""
        self.path = path
        self._connection = connect(path, _SCHEMA)
        now = time.time()
        with written(path), self._connection:
            self._session = self._connection.execute("insert into sessions values (?, ?)", (now, now)).lastrowid

    def close(self) -> None:
        # A disk without room is told by what ends the run, which this must not hide.
        with suppress(DiagnosticError, sqlite3.Error), written(self.path), self._connection:
            self._record_unanswered(self._told)
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, keys: Sequence[str]) -> dict[str, ChatResponse]:
        """The answers that are there by key. A call that was given up is none."""
        found: dict[str, ChatResponse] = {}
        columns = "key, response, input_tokens, output_tokens, nano_usd, attempts, seconds"
        for start in range(0, len(keys), _KEYS):
            part = keys[start : start + _KEYS]
            query = f"select {columns} from calls where response is not null and key in ({', '.join('?' * len(part))})"
            for key, body, read, wrote, nano, attempts, seconds in self._connection.execute(query, part):
                usage = Usage(read, wrote)
                found[key] = ChatResponse(key, json.loads(body), "", usage, nano / NANO, attempts, seconds)
        return found

    def record(self, answered: Sequence[tuple[ChatRequest, ChatResponse]]) -> None:
        """Write calls down in one transaction; they are on the disk when this returns.

        Raises :class:`DiagnosticError` where the disk is full; then none of them is written.
        """
        now, told = time.time(), self._told
        keys = [request.key for request, _ in answered]
        known = f"select count(*) from calls where key in ({', '.join('?' * len(keys))})"
        with written(self.path), self._connection:
            calls = told.calls + len(keys) - self._connection.execute(known, keys).fetchone()[0]
            nano = told.nano_usd + sum(_nano(response) for _, response in answered)
            tokens = told.tokens + sum(response.usage.input + response.usage.output for _, response in answered)
            told = Spent(nano, tokens, calls)
            self._connection.executemany(_RECORD, [_row(*one, now) for one in answered])
            self._connection.execute("update sessions set ended = ? where rowid = ?", (now, self._session))
            self._record_unanswered(told)
        self._told = told

    def _record_unanswered(self, told: Spent) -> None:
        """Write down what is used up beside the calls that were `told`."""
        if self.used is None:
            return
        used = self.used()
        beside = (used.nano_usd - told.nano_usd, used.tokens - told.tokens, used.calls - told.calls)
        row = (self._session, *(max(0, one) for one in beside))
        self._connection.execute("insert or replace into unanswered values (?, ?, ?, ?)", row)

    def spent(self) -> Spent:
        """What was used up by all calls of this run so far."""
        sums = "coalesce(sum(nano_usd), 0), coalesce(sum(input_tokens + output_tokens), 0), count(*)"
        told = self._connection.execute(f"select {sums} from calls").fetchone()
        sums = "coalesce(sum(nano_usd), 0), coalesce(sum(tokens), 0), coalesce(sum(calls), 0)"
        beside = self._connection.execute(f"select {sums} from unanswered").fetchone()
        nano, tokens, calls = (one + more for one, more in zip(told, beside, strict=True))
        (seconds,) = self._connection.execute("select coalesce(sum(ended - started), 0) from sessions").fetchone()
        return Spent(nano, tokens, calls, seconds / 3600)


def _nano(response: ChatResponse) -> int:
    return round(response.usd * NANO)


def _row(request: ChatRequest, response: ChatResponse, now: float) -> tuple[Any, ...]:
    return (
        request.key,
        request.purpose,
        request.arm,
        str(request.body.get("model", "")),
        json.dumps(request.body, ensure_ascii=False),
        None if response.body is None else json.dumps(response.body, ensure_ascii=False),
        response.error,
        response.usage.input,
        response.usage.output,
        _nano(response),
        response.attempts,
        response.seconds,
        now,
    )


class Journaled:
    """A transport that asks nothing that the journal knows, and writes down what it asks before anyone uses it. See
    :class:`hcmlang.engines.hosted.wire.Transport`."""

    def __init__(self, inner: Transport, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answers from the journal first, then those that have to be asked for, in the groups in which they come."""
        wanted = {request.key: request for request in requests}
        keys = list(wanted)
        for start in range(0, len(keys), _KEYS):
            found = self._journal.find(keys[start : start + _KEYS])
            for key in found:
                del wanted[key]
            if found:
                yield list(found.values())
        while wanted:
            before = len(wanted)
            try:
                for group in self._inner.send(list(wanted.values())):
                    self._journal.record([(wanted.pop(response.key), response) for response in group])
                    yield group
            except BudgetSpent:
                # What was set aside for calls that were under way is free again now that they are settled.
                if len(wanted) == before:
                    raise
            else:
                return
