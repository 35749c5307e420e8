"""The results of a run directory: a folder for each step, and a journal of the complete ones.

A result is written to a temporary folder beside its final place, synced, and moved there. Only then it is recorded in the
journal, so that a run can resume after a crash at any instant. Another process or machine may write a result; only the holder
of the store records it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from hcmlang.database import connect, written
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.files import reported, write_text
from hcmlang.run.files import JOURNAL
from hcmlang.run.step import Step
from hcmlang.run.storage import Artifact, Storage

#: What a run leaves that was stopped at its very beginning.
_OWN = {"steps", ".lock", ".holder"}
_HOLDER = ".holder"
_USED = "used"
_SCHEMA = """
create table if not exists steps (
    key text primary key, name text not null, action text not null, folder text not null, digest text not null,
    config text not null, inputs text not null, finished real not null, seconds real not null
);
create table if not exists facts (name text primary key, value text not null);
"""


def folder_name(step: Step, key: str) -> str:
    """The beginning of the names of a step's results."""
    return f"{step.action}-{key[:16]}"


def holder_of(folder: Path) -> str:
    """The process that works in a run directory, or did so last."""
    try:
        return (folder / _HOLDER).read_text("utf-8")
    except OSError:
        return "its name is not known"


class Store:
    """The results of one run directory. One process at a time holds it; use as a context manager. Results are in the folder
    `steps`, and at the URL `storage` if there is one."""

    def __init__(self, folder: Path, storage: str | None = None) -> None:
        self.folder = folder
        self._steps = folder / "steps"
        self.storage = Storage(self._steps.absolute(), storage)
        self._path = folder / JOURNAL
        with reported(folder):
            if folder.is_dir() and not (folder / JOURNAL).exists() and {p.name for p in folder.iterdir()} - _OWN:
                message = f"{folder} is not empty, and holds no run"
                hint = "a run writes files such as spec.yaml there; name another folder with --out"
                raise DiagnosticError(Diagnostic("folder-in-use", message, hint=hint))
            self._steps.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / ".lock", timeout=0)

    def __enter__(self) -> Store:
        with reported(self.folder):
            try:
                self._lock.acquire()
            except Timeout:
                hint = "wait for it to end, or name another folder with --out"
                message = f"another process is working in {self.folder}: {holder_of(self.folder)}"
                raise DiagnosticError(Diagnostic("run-in-use", message, hint=hint)) from None
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            write_text(self.folder / _HOLDER, f"process {os.getpid()} on {platform.node()}, since {since}")
        try:
            self._journal = connect(self._path, _SCHEMA)
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

    def use(self, keys: Collection[str]) -> None:
        """Remember the results that the plan of this run consists of; :meth:`clean` removes all others."""
        self.remember(_USED, json.dumps(sorted(keys)))

    def clean(self, *, dry_run: bool = False) -> list[Path]:
        """Remove the results that the last run did not use, and folders without a result. Returns their paths."""
        used = set(json.loads(self.fact(_USED) or "[]"))
        rows = self._journal.execute("select key, folder from steps").fetchall() if used else []
        kept = {self.folder / folder for key, folder in rows if key in used}
        removed = [path for path in sorted(self._steps.iterdir()) if path.is_dir() and path not in kept] if used else []
        if not dry_run:
            with written(self._path), self._journal:
                gone = [(key,) for key, _ in rows if key not in used]
                self._journal.executemany("delete from steps where key = ?", gone)
            for path in removed:
                shutil.rmtree(path, ignore_errors=True)
        return removed

    def find(self, key: str) -> Artifact | None:
        """The finished result with this content key."""
        row = self._journal.execute("select folder, digest from steps where key = ?", (key,)).fetchone()
        if row is None:
            return None
        artifact = Artifact(Path(row[0]).name, row[1])
        return artifact if self.storage.has(artifact) else None

    def enter(self, key: str, step: Step, inputs: Mapping[str, Artifact], made: Artifact, seconds: float) -> None:
        """Record a result that is in the storage."""
        record = (
            key,
            str(step.label),
            step.action,
            f"{self._steps.name}/{made.name}",
            made.digest,
            json.dumps(step.settings, ensure_ascii=False),
            json.dumps({role: artifact.digest for role, artifact in inputs.items()}),
            time.time(),
            seconds,
        )
        with written(self._path), self._journal:
            self._journal.execute("insert or replace into steps values (?, ?, ?, ?, ?, ?, ?, ?, ?)", record)

    def adopt(self, key: str, step: Step, inputs: Mapping[str, Artifact]) -> Artifact | None:
        """Record the result with this key that an earlier, lost run left at the URL of the storage."""
        made = self.storage.made(folder_name(step, key))
        if made is not None:
            self.enter(key, step, inputs, made, 0.0)
        return made

    def path(self, artifact: Artifact) -> Path:
        """The folder of a result. It is fetched when it is not on this machine."""
        return self.storage.path(artifact)

    def fact(self, name: str) -> str | None:
        """A remembered text, such as what was last published."""
        row = self._journal.execute("select value from facts where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, name: str, value: str) -> None:
        with written(self._path), self._journal:
            self._journal.execute("insert or replace into facts values (?, ?)", (name, value))
