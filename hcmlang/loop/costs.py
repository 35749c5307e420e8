"""What a run has spent, from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.journal import NANO
from hcmlang.loop.store import JOURNAL

_SUMS = """
    count(*), sum(response is null), sum(input_tokens), sum(output_tokens), sum(nano_usd), sum(seconds)
"""
# The time of people at their wage; what they took back, and what came too late, was worked all the same.
_PEOPLE = """
    select arm, job, count(*), sum(state <> 'counts'), 0, 0, sum(nano_usd), sum(seconds)
    from people_answers join people_tasks on key = task group by arm, job order by arm, min(position)
"""
_NAMES = ("calls", "given_up", "input_tokens", "output_tokens", "usd", "seconds")


def costs_of(run: Path) -> list[dict[str, Any]]:
    """One line for each arm and purpose, and one for all of them (`arm` "all", `purpose` ""): `calls`, those of them that
    were `given_up`, `input_tokens`, `output_tokens`, `usd`, `seconds` of waiting. Where it was `people` who were asked, a call
    is an answer, one that was taken back or came too late is given up, and `seconds` are those of their work. A run that
    asked nobody has only the last.

    Raises :class:`DiagnosticError` where the folder holds no run.
    """
    path = run / JOURNAL
    if not path.is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        query = f"select arm, purpose, {_SUMS} from calls group by arm, purpose order by arm, purpose"
        rows = [(False, row) for row in _found(connection, query)] + [
            (True, row) for row in _found(connection, _PEOPLE)
        ]
    lines = [
        {"arm": arm, "purpose": purpose, "people": people, **dict(zip(_NAMES, sums, strict=True))}
        for people, (arm, purpose, *sums) in rows
    ]
    total = {name: sum(line[name] for line in lines) for name in _NAMES}
    lines.append({"arm": "all", "purpose": "", "people": False, **total})
    return [{**line, "usd": line["usd"] / NANO} for line in lines]


def _found(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []  # nobody of this kind was ever asked in this run, so the tables are not there
