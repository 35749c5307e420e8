"""People as teachers: the page on which they work, and the exchange of tasks with crowdsourcing platforms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, SpecError
from hcmlang.run.files import JOURNAL
from hcmlang.teachers.annotation.store import TaskStore, has_tasks


@contextmanager
def open_tasks(run: Path) -> Iterator[TaskStore]:
    """Open the tasks of a run directory. Raises :class:`SpecError` if there is no run, or it has no tasks for people."""
    if not (run / JOURNAL).is_file():
        hint = "a run directory contains a journal.db; create one with `hcmlang run SPEC`"
        raise SpecError(Diagnostic("no-run", f"{run} is not a run directory", hint=hint))
    if not has_tasks(run / JOURNAL):
        hint = (
            "add a teacher `{kind: human, wage: {usd_per_hour: ...}}` to the spec and run it until it stops for people"
        )
        raise SpecError(Diagnostic("no-tasks", f"{run} has no tasks for people", hint=hint))
    with TaskStore(run / JOURNAL) as tasks:
        yield tasks
