"""The run directory's memory: one folder for each step's result, and a journal that says which are complete.

A result is written into a folder of its own beside its final place, synced, moved there, and only then entered in the
journal; a crash at any instant leaves a run that goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import atomic_folder, reported
from hcmlang.hashing import content_key, folder_digest
from hcmlang.loop.plan import Step

JOURNAL = "journal.db"
#: What a run that was stopped at its very beginning leaves.
_OWN = {"steps", ".lock"}
_SCHEMA = """
create table if not exists steps (
    key text primary key, name text not null, action text not null, folder text not null, digest text not null,
    config text not null, inputs text not null, finished real not null, seconds real not null
);
create table if not exists facts (name text primary key, value text not null);
"""


@dataclass(frozen=True)
class Artifact:
    """The result of a step: a folder and the SHA-256 of its content."""

    folder: Path
    digest: str


class Store:
    """The steps of one run directory. One process at a time holds it; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._steps = folder / "steps"
        with reported(folder):
            if folder.is_dir() and not (folder / JOURNAL).exists() and {p.name for p in folder.iterdir()} - _OWN:
                message = f"{folder} is not empty, and holds no run"
                hint = "a run writes files such as spec.yaml there; give it a folder of its own with --out"
                raise DiagnosticError(Diagnostic("folder-in-use", message, hint=hint))
            self._steps.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / ".lock", timeout=0)

    def __enter__(self) -> Store:
        with reported(self.folder):
            try:
                self._lock.acquire()
            except Timeout:
                hint = "wait for it to end, or give this run another folder with --out"
                message = f"another process is working in {self.folder}"
                raise DiagnosticError(Diagnostic("run-in-use", message, hint=hint)) from None
        try:
            self._journal = self._open_journal()
        except BaseException:
            self._lock.release()
            raise
        for leftover in self._steps.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        self._lock.release()

    def key(self, step: Step, version: int, inputs: dict[str, Artifact]) -> str:
        """The content key of a step: its action and version, its configuration, its inputs' content."""
        return content_key([step.action, version, dict(step.config), {r: a.digest for r, a in inputs.items()}])

    def find(self, key: str) -> Artifact | None:
        """The finished result under this key, if it is there."""
        row = self._journal.execute("select folder, digest from steps where key = ?", (key,)).fetchone()
        if row is None or not (folder := self.folder / row[0]).is_dir():
            return None
        return Artifact(folder, row[1])

    def make(self, key: str, step: Step, inputs: dict[str, Artifact], work: Callable[[Path], None]) -> Artifact:
        """Run `work` on a new folder and keep what it wrote there as the result under `key`."""
        started = time.perf_counter()
        target = self._steps / f"{step.action}-{key[:16]}"
        with atomic_folder(target) as folder:
            work(folder)
            digest = folder_digest(folder)
        record = (
            key,
            step.name,
            step.action,
            str(target.relative_to(self.folder)),
            digest,
            json.dumps(dict(step.config), ensure_ascii=False),
            json.dumps({role: artifact.digest for role, artifact in inputs.items()}),
            time.time(),
            time.perf_counter() - started,
        )
        with self._written():
            self._journal.execute("insert or replace into steps values (?, ?, ?, ?, ?, ?, ?, ?, ?)", record)
        return Artifact(target, digest)

    def fact(self, name: str) -> str | None:
        """A remembered text, such as what was last published."""
        row = self._journal.execute("select value from facts where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, name: str, value: str) -> None:
        with self._written():
            self._journal.execute("insert or replace into facts values (?, ?)", (name, value))

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            with self._journal:
                yield
        except sqlite3.OperationalError as error:
            hint = "free some space and run the same command again; finished steps are kept"
            message = f"cannot write {self.folder / JOURNAL}: {error}"
            raise DiagnosticError(Diagnostic("disk-full", message, hint=hint)) from error

    def _open_journal(self) -> sqlite3.Connection:
        path = self.folder / JOURNAL
        try:
            journal = sqlite3.connect(path)
            journal.execute("pragma journal_mode = wal")
            journal.execute("pragma synchronous = full")
            journal.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            hint = "free some space or quota there and run the same command again; finished steps are kept"
            raise DiagnosticError(Diagnostic("disk-full", f"cannot write {path}: {error}", hint=hint)) from error
        except sqlite3.DatabaseError as error:
            hint = "move it away and run again: the steps are computed anew, the old folders stay where they are"
            message = f"{path} is not a readable journal: {error}"
            raise DiagnosticError(Diagnostic("broken-journal", message, hint=hint)) from error
        return journal
