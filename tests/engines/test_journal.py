"""The journal of calls in a real SQLite file: durability, totals, and recovery from damage."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from hcmlang.database import salvage
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.journal import Journal, Journaled
from hcmlang.engines.hosted.spending import Accountant
from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, ChatResponse, Usage
from hcmlang.spec.model import Budget


def request(number: int) -> ChatRequest:
    return ChatRequest(
        f"key{number}", {"model": "m", "messages": [{"role": "user", "content": "é"}]}, "generate", "gpt"
    )


def answer(number: int, usd: float = 0.000_007, attempts: int = 1) -> ChatResponse:
    body = {"choices": [{"message": {"content": f"text {number}"}}]}
    return ChatResponse(f"key{number}", body, "", Usage(3, 2), usd, attempts, 0.5)


class Server:
    """Answers in groups of two, and gives up the numbers of `down`."""

    def __init__(self, down: Sequence[int] = (), limit: int | None = None) -> None:
        self.asked: list[str] = []
        self.down = set(down)
        self.limit = limit

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        for start in range(0, len(requests), 2):
            if self.limit is not None and start >= self.limit:
                raise BudgetSpent("usd", "it is used up")
            group = []
            for one in requests[start : start + 2]:
                self.asked.append(one.key)
                number = int(one.key.removeprefix("key"))
                given_up = ChatResponse(one.key, None, "down", Usage(), 0.001, 3, 1.0)
                group.append(given_up if number in self.down else answer(number))
            yield group


def send(journal: Journal, server: Server, numbers: Sequence[int]) -> dict[str, ChatResponse]:
    return {r.key: r for group in Journaled(server, journal).send([request(n) for n in numbers]) for r in group}


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        server = Server(down=[2])
        found = send(journal, server, [1, 2, 3, 3])
        assert server.asked == ["key1", "key2", "key3"]
        assert (found["key2"].body, found["key2"].error) == (None, "down")
    with Journal(tmp_path / "journal.db") as journal:
        server = Server()
        again = send(journal, server, [3, 2, 1, 4])
        assert server.asked == ["key2", "key4"], "what was given up is asked again"
        assert (again["key1"], again["key3"]) == (found["key1"], found["key3"])


def test_what_a_failure_cost_stays_on_the_bill(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        send(journal, Server(down=[1]), [1])
        send(journal, Server(), [1])
        spent = journal.spent()
        assert (spent.nano_usd, spent.tokens, spent.calls) == (1_007_000, 5, 1)
        for number in range(100, 1100):
            journal.record([(request(number), answer(number, usd=0.1))])
        assert journal.spent().nano_usd == 1_007_000 + 1000 * 100_000_000, "sums are exact"


def test_an_answer_is_on_the_disk_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        for group in Journaled(Server(), journal).send([request(n) for n in range(6)]):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as other:
                there = {key for (key,) in other.execute("select key from calls")}
            other.close()
            assert {one.key for one in group} <= there


def test_what_was_set_aside_is_used_before_the_budget_ends_a_run(tmp_path: Path) -> None:
    """The budget is asked again for the rest as long as that brings answers."""
    with Journal(tmp_path / "journal.db") as journal:
        server, got = Server(limit=2), []
        for group in Journaled(server, journal).send([request(n) for n in range(5)]):
            got += [one.key for one in group]
        assert got == [f"key{n}" for n in range(5)]
        with pytest.raises(BudgetSpent):
            list(Journaled(Server(limit=0), journal).send([request(9)]))


WRITER = """
import sys
from pathlib import Path
from hcmlang.engines.hosted.journal import Journal
from tests.engines.test_journal import answer, request
with Journal(Path(sys.argv[1])) as journal:
    number = int(sys.argv[2])
    while True:
        journal.record([(request(n), answer(n)) for n in range(number, number + 7)])
        print(number + 6, flush=True)
        number += 7
"""


@pytest.mark.slow
def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path, random, acknowledged = tmp_path / "journal.db", Random(0), -1
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(path), str(acknowledged + 1)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert writer.stdout is not None
        acknowledged = int(writer.stdout.readline())
        time.sleep(random.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        for line in writer.stdout.read().splitlines(keepends=True):
            acknowledged = int(line) if line.endswith("\n") else acknowledged
        writer.wait()
        with Journal(path) as journal:
            assert len(journal.find([f"key{n}" for n in range(acknowledged + 1)])) == acknowledged + 1
            assert journal.spent().calls % 7 == 0, "a group is there as a whole or not at all"
            acknowledged = journal.spent().calls - 1


def test_attempts_without_an_answer_stay_spent(tmp_path: Path) -> None:
    """Those of calls that were answered later, and of calls that never were; whether the journal was closed or not."""
    with Journal(tmp_path / "journal.db") as journal:
        account = Accountant(Budget(calls=9), journal.spent())
        journal.used = account.used
        priced = account.priced(None)
        for usage in (None, Usage(3, 2), None):  # nobody knows what became of the first and the last
            priced.settle(priced.reserve(request(1)), usage)
        journal.record([(request(1), answer(1))])
        with Journal(tmp_path / "journal.db") as other:
            assert other.spent().calls == 3
        priced.settle(priced.reserve(request(2)), None)
        used = account.used()
    with Journal(tmp_path / "journal.db") as journal:
        spent = journal.spent()
    assert (spent.calls, spent.tokens) == (4, used.tokens)
    again = Accountant(Budget(calls=5), spent).priced(None)
    again.reserve(request(3))
    with pytest.raises(BudgetSpent):
        again.reserve(request(4))


def test_a_text_that_was_lost_is_not_saved(tmp_path: Path) -> None:
    with Journal(tmp_path / "old.db") as journal:
        journal.record([(request(n), answer(n)) for n in range(3)])
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, old:
        old.execute("update calls set response = ? where key = 'key1'", ("\0" * 9,))
    assert salvage(tmp_path / "old.db", tmp_path / "new.db")["calls"] == 2
    with Journal(tmp_path / "new.db") as journal:
        assert set(journal.find(["key0", "key1", "key2"])) == {"key0", "key2"}


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_what_is_left_of_a_cut_file_is_saved(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.record([(request(n), answer(n)) for n in range(2000)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DiagnosticError) as error:
        Journal(path)
    (found,) = error.value.diagnostics
    assert found.code == "broken-journal"
    assert (tmp_path / "journal-damaged-1.db").read_bytes() == content[: int(len(content) * kept)]
    with Journal(path) as journal:
        there = journal.find([f"key{n}" for n in range(2000)])
        assert kept * 0.5 < len(there) / 2000 < 1
        assert all(there[key] == answer(int(key.removeprefix("key"))) for key in there)


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(DiagnosticError, match="nothing"):
        Journal(tmp_path / "journal.db")
    Journal(tmp_path / "journal.db").close()
    assert salvage(tmp_path / "journal.db", tmp_path / "copy.db")["calls"] == 0
