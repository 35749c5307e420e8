"""The run directories of a folder."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from hcmlang.database import open_read_only
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted import request_files as batch
from hcmlang.run.costs import costs_of
from hcmlang.run.files import JOURNAL, METRICS
from hcmlang.run.store import holder_of
from hcmlang.teachers.annotation import store as tasks


@dataclass(frozen=True)
class RunState:
    """A run, as one line of a list."""

    name: str
    state: str
    """`finished`, `stopped`, `waits for N answers`, `waits for people: N tasks`, or the process that works in it."""
    changed: str
    """When the last step finished."""
    steps: int
    """How many results there are."""
    calls: int
    usd: float
    megabytes: float


def runs_in(folder: Path) -> list[RunState]:
    """The runs in a folder by name, or the folder itself if it is a run."""
    places = [folder] if (folder / JOURNAL).is_file() else sorted(path.parent for path in folder.glob(f"*/{JOURNAL}"))
    return [_state(place) for place in places]


def _state(run: Path) -> RunState:
    steps, last = 0, None
    try:
        with open_read_only(run / JOURNAL) as connection:
            steps, last = connection.execute("select count(*), max(finished) from steps").fetchone()
        total = costs_of(run)[-1]
    except (sqlite3.DatabaseError, DiagnosticError):
        return RunState(run.name, "its journal is damaged", "", 0, 0, 0.0, _megabytes(run))
    changed = datetime.fromtimestamp(last).strftime("%Y-%m-%d %H:%M") if last else ""
    return RunState(run.name, _state_in_words(run), changed, steps, total["calls"], total["usd"], _megabytes(run))


def _state_in_words(run: Path) -> str:
    try:
        with FileLock(run / ".lock", timeout=0):
            pass
    except Timeout:
        return f"running: {holder_of(run)}"
    if waiting := len(batch.waiting(run / JOURNAL)):
        return f"waits for {waiting:,} answers"
    if waiting := tasks.waiting(run / JOURNAL):
        return f"waits for people: {waiting:,} tasks"
    return "finished" if (run / METRICS).is_file() else "stopped"


def _megabytes(run: Path) -> float:
    return sum(path.stat().st_size for path in run.rglob("*") if path.is_file()) / 1e6
