"""SQLite files that are written in small steps and survive crashes, and what is done about those that were damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: Seconds to wait for another connection that is writing.
_PATIENCE = 30.0


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """A connection that writes ahead (WAL) and syncs with every commit, so that what was committed survives a crash of the
    machine; the tables of `schema` are made where they are missing.

    Raises :class:`DiagnosticError`: as :func:`written`, or `broken-journal` for a file that is damaged; what is left of its
    rows is saved in a new file first, and the damaged one is kept beside it.
    """
    connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
    try:
        with written(path):
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(schema)
            (state,) = connection.execute("pragma quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _damaged(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """A connection to an existing file that cannot write. Raises :class:`sqlite3.OperationalError` where there is none."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


#: What is done about SQLite's refusals, by how their names begin; whatever else it says is taken for want of space.
_ADVICE = {
    ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"): (
        "not-writable",
        "give yourself the right to write in this folder, or copy the folder to where you have it",
    ),
    ("SQLITE_BUSY", "SQLITE_LOCKED"): (
        "run-in-use",
        "another program writes there and does not come to an end; wait for it, or end it, then run the same command again",
    ),
    ("",): ("disk-full", "free some space or quota there and run the same command again; what was finished is kept"),
}


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn SQLite's refusal to write, or to open what it can only read while it writes beside it, into a
    :class:`DiagnosticError`; damage passes."""
    try:
        yield
    except sqlite3.OperationalError as error:
        name = getattr(error, "sqlite_errorname", "")
        code, hint = next(advice for begins, advice in _ADVICE.items() if name.startswith(begins))
        raise DiagnosticError(Diagnostic(code, f"cannot write {path}: {error}", hint=hint)) from error


def _damaged(path: Path, error: sqlite3.DatabaseError) -> DiagnosticError:
    number = 1
    while (kept := path.with_name(f"{path.stem}-damaged-{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)
    for ending in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
    saved = salvage(kept, path)
    rows = ", ".join(f"{count:,} {table}" for table, count in saved.items()) or "nothing"
    message = f"{path} was damaged ({error}); of its rows could be saved: {rows}"
    hint = f"run the same command again: what is missing is done anew; the damaged file is kept as {kept.name}"
    return DiagnosticError(Diagnostic("broken-journal", message, hint=hint))


def salvage(damaged: Path, target: Path) -> dict[str, int]:
    """Copy the rows that can be read of a damaged file into a new one; how many of each table."""
    saved: dict[str, int] = {}
    with closing(sqlite3.connect(damaged)) as old, closing(sqlite3.connect(target)) as new:
        tables: list[tuple[str, str]] = []
        with suppress(sqlite3.DatabaseError):
            # SQLite refuses a file that is shorter than its head says, unless it is told that one knows.
            old.execute("pragma writable_schema = on")
            tables = old.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
        for name, sql in tables:
            new.execute(sql)
            for row in _readable(old, name):
                # What the file ends in reads as zeros; no text of ours has one.
                if any(isinstance(value, str) and "\0" in value for value in row):
                    continue
                marks = ", ".join("?" * len(row))
                new.execute(f"insert or ignore into {name} values ({marks})", row)
            saved[name] = new.execute(f"select count(*) from {name}").fetchone()[0]
        new.commit()
    return saved


def _readable(connection: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """Rows from the beginning up to the damage, then from the end."""
    for order in ("asc", "desc"):
        with suppress(sqlite3.DatabaseError):
            yield from connection.execute(f"select * from {table} order by rowid {order}")
