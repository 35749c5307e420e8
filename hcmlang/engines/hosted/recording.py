"""Recordings: every call of a run with its answer in one file, to repeat the run without a model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hcmlang.database import open_read_only
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Source, Span, SpecError
from hcmlang.engines.hosted.journal import NANO
from hcmlang.engines.hosted.wire import ChatRequest, ChatResponse, Usage
from hcmlang.files import atomic_file, reported

_COLUMNS = "key, purpose, arm, request, response, input_tokens, output_tokens, nano_usd, attempts, seconds"
#: Words of a message that identify a missing call.
_WORDS = 12


def export(journal: Path, path: Path) -> int:
    """Write every answered call of a journal to a file, a JSON object a line, sorted by key. Returns their number."""
    count = 0
    with reported(path), atomic_file(path) as work, work.open("w", encoding="utf-8") as file:
        for call in _of_journal(journal):
            file.write(json.dumps(call, ensure_ascii=False) + "\n")
            count += 1
    return count


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The calls of a recording or a journal by key.

    Raises :class:`DiagnosticError` for a missing file, or a line that is not a call.
    """
    if not path.is_file():
        hint = "`hcmlang record export RUN` writes one; you can also name the journal.db of a run"
        raise SpecError(Diagnostic("missing-file", f"there is no recording {path}", hint=hint))
    calls = _of_journal(path) if path.suffix == ".db" else _of_file(path)
    return {call["key"]: call for call in calls}


class Replay:
    """Answers from a recording only; see :class:`hcmlang.engines.hosted.wire.Transport`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._calls = load(path)

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Raises :class:`DiagnosticError` for the first call that was not recorded."""
        for request in requests:
            call = self._calls.get(request.key)
            if call is None:
                raise DiagnosticError(self._missing(request))
            usage = Usage(**call["usage"])
            yield [
                ChatResponse(request.key, call["response"], "", usage, call["usd"], call["attempts"], call["seconds"])
            ]

    def _missing(self, request: ChatRequest) -> Diagnostic:
        messages = request.body.get("messages") or [{}]
        words = " ".join(str(messages[-1].get("content", "")).split()[:_WORDS])
        name = " ".join(part for part in (request.arm, request.purpose) if part)
        message = f"{self._path} has no answer to the call {request.key} ({name}: {words} ...)"
        near = next(
            (c for c in self._calls.values() if c["request"].get("messages") == request.body.get("messages")), None
        )
        hint = "this call was not recorded: a prompt, the data or the spec has changed"
        if near is not None:
            other = sorted(
                part
                for part in {*request.body, *near["request"]}
                if request.body.get(part) != near["request"].get(part) and part != "messages"
            )
            what = ", ".join(f"`{part}`" for part in other) or "form of the answer, or repetition"
            hint = f"the same question was recorded with a different {what}"
        return Diagnostic("not-recorded", message, hint=hint)


def _of_journal(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open_read_only(path) as connection:
            query = f"select {_COLUMNS} from calls where response is not null order by key"
            for key, purpose, arm, request, response, read, wrote, nano, attempts, seconds in connection.execute(query):
                yield {
                    "key": key,
                    "purpose": purpose,
                    "arm": arm,
                    "request": json.loads(request),
                    "response": json.loads(response),
                    "usage": asdict(Usage(read, wrote)),
                    "usd": nano / NANO,
                    "attempts": attempts,
                    "seconds": seconds,
                }
    except sqlite3.DatabaseError as error:
        hint = "name a run that called a hosted model, or a recording of one"
        raise DiagnosticError(Diagnostic("no-calls", f"{path} holds no calls: {error}", hint=hint)) from error


def _of_file(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                call = json.loads(line)
                usage = call["usage"]
                found = {
                    **{name: call[name] for name in ("key", "request", "response", "usd", "attempts", "seconds")},
                    "usage": {"input": int(usage["input"]), "output": int(usage["output"])},
                }
                if not isinstance(call["response"], Mapping) or not isinstance(call["request"], Mapping):
                    raise TypeError
            except (ValueError, KeyError, TypeError) as error:
                span = Span.point(Source(str(path), "\n" * (number - 1) + line), number, 1, max(1, len(line.rstrip())))
                hint = "`hcmlang record export RUN` writes a recording"
                problem = Diagnostic("bad-recording", "this is not a recorded call", span, hint)
                raise SpecError(problem) from error
            yield found
