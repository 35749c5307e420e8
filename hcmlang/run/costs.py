"""The costs of a run, from its journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from hcmlang.database import has_table, open_read_only
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.journal import NANO
from hcmlang.run.files import JOURNAL

_SUMS = "count(*), sum(response is null), sum(input_tokens), sum(output_tokens), sum(nano_usd), sum(seconds)"
_CALLS = f"select arm, purpose, {_SUMS} from calls group by arm, purpose order by arm, purpose"
# People are paid for their time, whether or not an answer counts.
_PEOPLE = """
    select arm, job, count(*), sum(state <> 'counts'), 0, 0, sum(nano_usd), sum(seconds)
    from people_answers join people_tasks on key = task group by arm, job order by arm, min(position)
"""
_NAMES = ("calls", "given_up", "input_tokens", "output_tokens", "usd", "seconds")


def costs_of(run: Path) -> list[dict[str, Any]]:
    """One line for each arm and purpose, then their total (`arm` "all", `purpose` ""): `calls`, how many of them were
    `given_up`, `input_tokens`, `output_tokens`, `usd`, and `seconds` of waiting. On lines with `people`, a call is an
    answer of a person, one that was withdrawn or came too late is given up, and `seconds` are working time. A run without
    calls has only the total.

    Raises :class:`DiagnosticError` where the folder holds no run, or its journal cannot be read.
    """
    path = run / JOURNAL
    if not path.is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    rows: list[tuple[Any, ...]] = []
    try:
        with open_read_only(path) as connection:
            # An engine or a page for people makes its table when it first opens the journal.
            for people, table, query in ((False, "calls", _CALLS), (True, "people_answers", _PEOPLE)):
                if has_table(connection, table):
                    rows += [(people, *row) for row in connection.execute(query)]
    except sqlite3.DatabaseError as error:
        raise DiagnosticError(Diagnostic("unreadable-file", f"cannot read {path}: {error}")) from error
    lines = [
        {"arm": arm, "purpose": purpose, "people": people, **dict(zip(_NAMES, sums, strict=True))}
        for people, arm, purpose, *sums in rows
    ]
    total = {name: sum(line[name] for line in lines) for name in _NAMES}
    lines.append({"arm": "all", "purpose": "", "people": False, **total})
    return [{**line, "usd": line["usd"] / NANO} for line in lines]
