"""The costs of a run, from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hcmlang.database import read_only
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.journal import NANO
from hcmlang.run.files import JOURNAL

_SUMS = """
    count(*), sum(response is null), sum(input_tokens), sum(output_tokens), sum(nano_usd), sum(seconds)
"""
# The time of people at their wage. Answers that they took back or gave too late are paid as well.
_PEOPLE = """
    select arm, job, count(*), sum(state <> 'counts'), 0, 0, sum(nano_usd), sum(seconds)
    from people_answers join people_tasks on key = task group by arm, job order by arm, min(position)
"""
_NAMES = ("calls", "given_up", "input_tokens", "output_tokens", "usd", "seconds")


def costs_of(run: Path) -> list[dict[str, Any]]:
    """One line for each arm and purpose, and a last one for all of them (`arm` "all", `purpose` "").

    A line has `calls`, how many of them were `given_up`, `input_tokens`, `output_tokens`, `usd`, and `seconds` of waiting. For
    `people`, a call is an answer, `given_up` counts answers that were taken back or too late, and `seconds` are their working
    time.

    Raises :class:`DiagnosticError` if the folder holds no run.
    """
    path = run / JOURNAL
    if not path.is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    with closing(read_only(path)) as connection:
        query = f"select arm, purpose, {_SUMS} from calls group by arm, purpose order by arm, purpose"
        of_models, of_people = _rows(connection, query), _rows(connection, _PEOPLE)
    rows = [(False, row) for row in of_models] + [(True, row) for row in of_people]
    lines = [
        {"arm": arm, "purpose": purpose, "people": people, **dict(zip(_NAMES, sums, strict=True))}
        for people, (arm, purpose, *sums) in rows
    ]
    total = {name: sum(line[name] for line in lines) for name in _NAMES}
    lines.append({"arm": "all", "purpose": "", "people": False, **total})
    return [{**line, "usd": line["usd"] / NANO} for line in lines]


def _rows(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if not str(error).startswith("no such table"):
            raise
        return []  # the run asked no models, or no people
