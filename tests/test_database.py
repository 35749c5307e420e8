"""Read-only SQLite files in folders with special URI characters in their names."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hcmlang.database import has_table, open_read_only
from hcmlang.run.costs import costs_of
from tests.conftest import Hcmlang

AWKWARD = ("C#", "50%", "a?b", "a%20b", "plain")


def journal_in(folder: Path) -> Path:
    """A journal with one call that cost a dollar and a half."""
    folder.mkdir(parents=True)
    path = folder / "journal.db"
    columns = "key, purpose, arm, request, response, input_tokens, output_tokens, nano_usd, attempts, seconds"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"create table calls ({columns})")
        values = ("k", "instances", "gpt", "{}", "{}", 10, 5, 1_500_000_000, 1, 0.5)
        connection.execute("insert into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.commit()
    return path


@pytest.mark.parametrize("name", AWKWARD)
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = journal_in(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with open_read_only(path) as connection:
        assert has_table(connection, "calls")
        assert not has_table(connection, "people_tasks")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("delete from calls")
    assert sorted(tmp_path.iterdir()) == before, "no database appears beside the folder"


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal_in(tmp_path / "C#")
    monkeypatch.chdir(tmp_path)
    with open_read_only(Path("C#/journal.db")) as connection:
        assert has_table(connection, "calls")


@pytest.mark.parametrize("name", AWKWARD)
def test_a_missing_file_is_not_created(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(sqlite3.OperationalError):
        open_read_only(tmp_path / name / "journal.db")
    assert list(tmp_path.rglob("*")) == [tmp_path / name]


@pytest.mark.parametrize("name", AWKWARD)
def test_the_costs_of_a_run_in_such_a_folder(tmp_path: Path, name: str) -> None:
    path = journal_in(tmp_path / name)
    assert costs_of(path.parent)[-1]["usd"] == 1.5


def test_a_journal_that_cannot_be_read_costs_no_zero_dollars(tmp_path: Path, hcmlang: Hcmlang) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.db").write_bytes(b"no database " * 500)
    done = hcmlang("cost", tmp_path / "run")
    assert done.returncode == 1
    assert "cannot read" in done.stderr
    assert "unreadable-file" in done.stderr
    assert "Traceback" not in done.stderr
