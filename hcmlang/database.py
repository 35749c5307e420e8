"""SQLite files that survive crashes, and recovery of damaged ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: Seconds to wait for another connection that is writing.
_PATIENCE = 30.0


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open a connection with a write-ahead log that syncs on every commit, so that commits survive a crash of the machine.
    Creates missing tables of `schema`.

    Raises :class:`DiagnosticError`: like :func:`written`, or `broken-journal` for a damaged file, after saving its readable
    rows in a new file and keeping the damaged one beside it.
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


def open_read_only(path: Path) -> closing[sqlite3.Connection]:
    """Open a read-only connection, as a context manager that closes it. Never creates a file.

    SQLite gets the path as a URI, in which `#`, `?` and `%` must be escaped.

    Raises :class:`sqlite3.OperationalError` if the file cannot be opened.
    """
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the database has a table with this name. Raises :class:`sqlite3.DatabaseError` if it cannot be read."""
    query = "select 1 from sqlite_master where type = 'table' and name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


#: Hints by the prefix of SQLite's error name. All other errors count as a full disk.
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
    """Convert SQLite's errors about opening and writing a file to a :class:`DiagnosticError`. Errors about damage pass."""
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
    """Copy the readable rows of a damaged file to a new one. Returns the number of rows of each table."""
    saved: dict[str, int] = {}
    with closing(sqlite3.connect(damaged)) as old, closing(sqlite3.connect(target)) as new:
        tables: list[tuple[str, str]] = []
        with suppress(sqlite3.DatabaseError):
            # Otherwise, SQLite refuses a file that is shorter than its header says.
            old.execute("pragma writable_schema = on")
            tables = old.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
        for name, sql in tables:
            new.execute(sql)
            for row in _readable(old, name):
                # A truncated file reads as zeros at its end; valid texts contain none.
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
