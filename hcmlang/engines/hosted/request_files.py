"""Request files in the format of the OpenAI Batch API, and the answers to them.

A run writes its requests to files and stops. The user has them answered by a provider's half-price endpoint, by `vllm
run-batch`, or on a machine without network. The answers may come in any order and in any number of files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hcmlang.database import connect, written
from hcmlang.diagnostics import Diagnostic, Source, Span, SpecError
from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.journal import NANO
from hcmlang.engines.hosted.spending import PricedAccount, nano_usd
from hcmlang.engines.hosted.wire import (
    AnswersWanted,
    BudgetSpent,
    ChatRequest,
    ChatResponse,
    Reservation,
    Usage,
    usage_of,
)
from hcmlang.files import atomic_file, reported

#: The limits of the Batch API for one file.
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
URL = "/v1/chat/completions"

_SCHEMA = """
create table if not exists batch (
    key text primary key, purpose text not null, arm text not null, request text not null,
    file text not null, state text not null, input_usd real not null, output_usd real not null
);
"""


class RequestFiles:
    """Writes requests to files; see :class:`hcmlang.engines.hosted.wire.Transport`. A table of the run's journal holds the
    waiting requests; the files are in `folder`."""

    def __init__(self, journal: Path, folder: Path, account: PricedAccount) -> None:
        self._journal = journal
        self._folder = folder
        self._account = account

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Write the requests that are in no file yet. Always raises :class:`AnswersWanted`, except for no requests."""
        if not requests:
            return
        with _table(self._journal) as table:
            waiting = dict(table.execute("select key, file from batch where state = 'waiting'"))
        new = [request for request in requests if request.key not in waiting]
        files = {waiting[request.key] for request in requests if request.key in waiting}
        reserved: list[Reservation] = []
        try:
            for request in new:
                reserved.append(self._account.reserve(request))
        except BudgetSpent:
            for reservation in reserved:
                self._account.settle(reservation, Usage())
            raise
        files |= {path.name for path in self._write(new)}
        raise AnswersWanted([self._folder / name for name in sorted(files)], len(requests))
        yield

    def _write(self, requests: Sequence[ChatRequest]) -> list[Path]:
        """Write these requests to files within the limits of providers."""
        written: list[Path] = []
        price = self._account.price
        rate = (price.input, price.output) if price is not None else (0.0, 0.0)
        for part in _parts(requests):
            path = self._folder / f"requests-{self._next():04}.jsonl"
            with reported(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                with atomic_file(path) as work:
                    work.write_text("".join(line for _, line in part), encoding="utf-8")
            rows = [
                (
                    call.key,
                    call.purpose,
                    call.arm,
                    json.dumps(call.body, ensure_ascii=False),
                    path.name,
                    "waiting",
                    *rate,
                )
                for call, _ in part
            ]
            with _table(self._journal) as table:
                table.executemany("insert or replace into batch values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            written.append(path)
        return written

    def _next(self) -> int:
        return 1 + max((int(path.stem.rpartition("-")[2]) for path in self._folder.glob("requests-*.jsonl")), default=0)


def waiting(journal: Path) -> list[ChatRequest]:
    """The unanswered requests in the files of a run."""
    with _table(journal) as table:
        rows = table.execute("select key, purpose, arm, request from batch where state = 'waiting'").fetchall()
    return [ChatRequest(key, json.loads(body), purpose, arm) for key, purpose, arm, body in rows]


def read(journal: Path, files: Sequence[Path]) -> Answers:
    """Read answer files. The caller records the answers in the journal and then calls :func:`taken`.

    Raises :class:`DiagnosticError` for a missing file, or a line that is not an answer.
    """
    with _table(journal) as table:
        rows = table.execute("select key, purpose, arm, request, state, input_usd, output_usd from batch").fetchall()
    known = {row[0]: ChatRequest(row[0], json.loads(row[3]), row[1], row[2]) for row in rows}
    prices = {row[0]: Price(input=row[5], output=row[6]) for row in rows}
    wanted = {row[0] for row in rows if row[4] == "waiting"}
    answers = Answers()
    for path in files:
        for number, line in _lines(path):
            key, response, error = _answer(path, number, line)
            if key not in known:
                answers.foreign += 1
            elif key in answers.found or key not in wanted:
                answers.duplicate += 1
            elif response is None:
                answers.failed[key] = error
            else:
                answers.failed.pop(key, None)
                usd = nano_usd(prices[key], response.usage) / NANO
                answers.found[key] = (known[key], replace(response, usd=usd))
    answers.missing = len(wanted) - len(answers.found) - len(answers.failed)
    return answers


def taken(journal: Path, answers: Answers) -> None:
    """Mark answers as recorded, and failed ones to be requested again."""
    with _table(journal) as table:
        table.executemany("update batch set state = 'answered' where key = ?", [(key,) for key in answers.found])
        table.executemany("update batch set state = 'failed' where key = ?", [(key,) for key in answers.failed])


@contextmanager
def _table(journal: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(journal, _SCHEMA)) as connection, written(journal), connection:
        yield connection


@dataclass
class Answers:
    """The content of answer files."""

    found: dict[str, tuple[ChatRequest, ChatResponse]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Key and reason."""
    duplicate: int = 0
    """Repeated answers."""
    foreign: int = 0
    """Answers to requests of other runs."""
    missing: int = 0
    """Requests that are still waiting."""

    def summary(self) -> str:
        """In a line."""
        parts = [f"{len(self.found):,} answers read"]
        if self.failed:
            reasons = sorted(set(self.failed.values()))
            parts.append(f"{len(self.failed):,} failed and will be requested again ({'; '.join(reasons[:3])})")
        for count, what in (
            (self.duplicate, "repeated"),
            (self.foreign, "from other runs"),
            (self.missing, "still missing"),
        ):
            if count:
                parts.append(f"{count:,} {what}")
        return ", ".join(parts)


def _parts(requests: Sequence[ChatRequest]) -> Iterator[list[tuple[ChatRequest, str]]]:
    """Requests with their lines, in parts within the limits of a file."""
    part: list[tuple[ChatRequest, str]] = []
    size = 0
    for request in requests:
        line = {"custom_id": request.key, "method": "POST", "url": URL, "body": request.body}
        text = json.dumps(line, ensure_ascii=False) + "\n"
        length = len(text.encode("utf-8"))
        if part and (len(part) >= MAX_REQUESTS or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append((request, text))
        size += length
    if part:
        yield part


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        hint = "name the files that the batch endpoint, or `vllm run-batch`, wrote"
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {error}", hint=hint)) from error


def _answer(path: Path, number: int, line: str) -> tuple[str, ChatResponse | None, str]:
    """Key, answer, and the reason where there is none."""
    try:
        value = json.loads(line)
        key = value["custom_id"]
        response, error = value.get("response") or {}, value.get("error")
        body, status = response.get("body"), response.get("status_code", 200)
        if not isinstance(key, str) or not isinstance(body, Mapping | None):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        span = Span.point(Source(str(path), line if number == 1 else "\n" * (number - 1) + line), number, 1, 1)
        hint = "each line is a JSON object with `custom_id` and `response`, as the Batch API writes them"
        raise SpecError(Diagnostic("bad-answer", "this is not an answer of a batch", span, hint)) from problem
    if error or status != 200 or not (body or {}).get("choices"):
        return key, None, _reason(error, status, body)
    assert body is not None
    return key, ChatResponse(key, body, usage=usage_of(body)), ""


def _reason(error: Any, status: int, body: Mapping[str, Any] | None) -> str:
    """Why a request failed, in a line."""
    reason = error or (body or {}).get("error") or ""
    if isinstance(reason, Mapping):
        reason = reason.get("message") or reason.get("code") or ""
    text = str(reason).strip().partition("\n")[0][:200]
    return text or (f"status {status}" if status != 200 else "no choices")
