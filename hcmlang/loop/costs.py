"""What a run has spent, from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.journal import NANO
from hcmlang.loop.store import JOURNAL

_SUMS = """
    count(*), sum(response is null), sum(input_tokens), sum(output_tokens), sum(nano_usd), sum(seconds)
"""
_NAMES = ("calls", "given_up", "input_tokens", "output_tokens", "usd", "seconds")


def costs_of(run: Path) -> list[dict[str, Any]]:
    """One line for each arm and purpose, and one for all of them (`arm` "all", `purpose` ""): `calls`, those of them that were
    `given_up`, `input_tokens`, `output_tokens`, `usd`, `seconds` of waiting. A run that asked no server has only the last.

    Raises :class:`DiagnosticError` where the folder holds no run.
    """
    path = run / JOURNAL
    if not path.is_file():
        hint = "a run directory has a journal.db; `hcmlang run SPEC` makes one"
        raise DiagnosticError(Diagnostic("no-run", f"{run} holds no run", hint=hint))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            query = f"select arm, purpose, {_SUMS} from calls group by arm, purpose order by arm, purpose"
            rows = connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            rows = []  # no engine of this run ever opened the table
    lines = [{"arm": arm, "purpose": purpose, **dict(zip(_NAMES, sums, strict=True))} for arm, purpose, *sums in rows]
    total = {name: sum(line[name] for line in lines) for name in _NAMES}
    lines.append({"arm": "all", "purpose": "", **total})
    return [{**line, "usd": line["usd"] / NANO} for line in lines]
