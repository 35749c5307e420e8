"""The journal of calls: every answer is recorded before it is used, so that no call is paid for twice."""

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
#: Keys in one query.
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
# The cost of failed attempts stays when a later attempt succeeds.
_RECORD = """
insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (key) do update set
    response = excluded.response, error = excluded.error, finished = excluded.finished,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    nano_usd = nano_usd + excluded.nano_usd, attempts = attempts + excluded.attempts, seconds = seconds + excluded.seconds
"""


@dataclass(frozen=True)
class Spent:
    """What a run has spent, including failed calls and attempts."""

    nano_usd: int = 0
    tokens: int = 0
    calls: int = 0
    hours: float = 0.0


class Journal:
    """The calls in a run's `journal.db`. Use as a context manager, or close it."""

    def __init__(self, path: Path) -> None:
        self.used: Callable[[], Spent] | None = None
        """What was spent since the journal was opened. The part that belongs to no recorded call, because attempts gave no
        answer, is recorded separately, so that it still counts when the run resumes."""
        self._recorded = Spent()
        """The part that belongs to calls recorded since then."""
        self.path = path
        self._connection = connect(path, _SCHEMA)
        now = time.time()
        with written(path), self._connection:
            self._session = self._connection.execute("insert into sessions values (?, ?)", (now, now)).lastrowid

    def close(self) -> None:
        # An error here, such as a full disk, must not hide the error that ends the run.
        with suppress(DiagnosticError, sqlite3.Error), written(self.path), self._connection:
            self._record_unanswered(self._recorded)
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, keys: Sequence[str]) -> dict[str, ChatResponse]:
        """The recorded answers by key. A call that was given up has none."""
        responses: dict[str, ChatResponse] = {}
        columns = "key, response, input_tokens, output_tokens, nano_usd, attempts, seconds"
        for start in range(0, len(keys), _KEYS):
            part = keys[start : start + _KEYS]
            query = f"select {columns} from calls where response is not null and key in ({', '.join('?' * len(part))})"
            for key, body, read, wrote, nano, attempts, seconds in self._connection.execute(query, part):
                usage = Usage(read, wrote)
                responses[key] = ChatResponse(key, json.loads(body), "", usage, nano / NANO, attempts, seconds)
        return responses

    def record(self, answered: Sequence[tuple[ChatRequest, ChatResponse]]) -> None:
        """Record calls in one transaction; they are on the disk when this returns.

        Raises :class:`DiagnosticError` where the disk is full; then none of them is recorded.
        """
        now, before = time.time(), self._recorded
        keys = [request.key for request, _ in answered]
        known = f"select count(*) from calls where key in ({', '.join('?' * len(keys))})"
        with written(self.path), self._connection:
            calls = before.calls + len(keys) - self._connection.execute(known, keys).fetchone()[0]
            nano = before.nano_usd + sum(_nano(response) for _, response in answered)
            tokens = before.tokens + sum(response.usage.input + response.usage.output for _, response in answered)
            after = Spent(nano, tokens, calls)
            self._connection.executemany(_RECORD, [_row(*call, now) for call in answered])
            self._connection.execute("update sessions set ended = ? where rowid = ?", (now, self._session))
            self._record_unanswered(after)
        self._recorded = after

    def _record_unanswered(self, recorded: Spent) -> None:
        """Record what was spent besides the recorded calls."""
        if self.used is None:
            return
        used = self.used()
        others = (used.nano_usd - recorded.nano_usd, used.tokens - recorded.tokens, used.calls - recorded.calls)
        row = (self._session, *(max(0, value) for value in others))
        self._connection.execute("insert or replace into unanswered values (?, ?, ?, ?)", row)

    def spent(self) -> Spent:
        """What all calls of this run have spent so far."""
        sums = "coalesce(sum(nano_usd), 0), coalesce(sum(input_tokens + output_tokens), 0), count(*)"
        recorded = self._connection.execute(f"select {sums} from calls").fetchone()
        sums = "coalesce(sum(nano_usd), 0), coalesce(sum(tokens), 0), coalesce(sum(calls), 0)"
        others = self._connection.execute(f"select {sums} from unanswered").fetchone()
        nano, tokens, calls = (a + b for a, b in zip(recorded, others, strict=True))
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
    """A transport that takes known answers from the journal, and records new ones before it returns them; see
    :class:`hcmlang.engines.hosted.wire.Transport`."""

    def __init__(self, inner: Transport, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answers from the journal first, then those of the inner transport, in its groups."""
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
                # Reservations of the running calls are settled now, so there may be budget for more.
                if len(wanted) == before:
                    raise
            else:
                return
