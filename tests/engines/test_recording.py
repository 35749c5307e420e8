"""Recordings: the same bytes for the same calls, answers only from the file, and errors in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.journal import Journal
from hcmlang.engines.hosted.recording import Replay, export
from hcmlang.engines.hosted.wire import ChatRequest, ChatResponse
from tests.engines.test_journal import answer, request


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with Journal(tmp_path / "journal.db") as made:
        made.record([(request(n), answer(n)) for n in (3, 1, 2)])
        made.record([(request(4), ChatResponse("key4", None, "down"))])
    return tmp_path / "journal.db"


def test_answers_come_from_a_file_or_a_journal(journal: Path, tmp_path: Path) -> None:
    assert export(journal, tmp_path / "calls.jsonl") == 3
    for path in (journal, tmp_path / "calls.jsonl"):
        found = [one for group in Replay(path).send([request(2), request(1)]) for one in group]
        assert found == [answer(2), answer(1)]
    lines = (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()
    assert [line[:15] for line in lines] == [f'{{"key": "key{n}",' for n in (1, 2, 3)]


def test_a_missing_call_is_named(journal: Path) -> None:
    with pytest.raises(DiagnosticError) as error:
        list(Replay(journal).send([request(4)]))
    (found,) = error.value.diagnostics
    assert found.code == "not-recorded"
    assert "key4 (gpt generate: é ...)" in found.message
    assert found.hint is not None
    assert "form of the answer, or repetition" in found.hint
    body = {**request(1).body, "temperature": 0.5}
    with pytest.raises(DiagnosticError) as error:
        list(Replay(journal).send([ChatRequest("other", body)]))
    assert "`temperature`" in str(error.value.diagnostics[0].hint)
    with pytest.raises(DiagnosticError) as error:
        list(Replay(journal).send([ChatRequest("other", {"messages": [{"content": "another question"}]})]))
    assert "was not recorded" in str(error.value.diagnostics[0].hint)


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"key": "x", "request": {}, "response": 1, "usage": {}}'])
def test_a_line_that_is_no_call_is_told(journal: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "calls.jsonl"
    export(journal, path)
    path.write_text(path.read_text("utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(DiagnosticError) as error:
        Replay(path)
    (found,) = error.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("bad-recording", 4)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError, match="there is no recording"):
        Replay(tmp_path / "none.jsonl")
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    with pytest.raises(DiagnosticError, match="holds no calls"):
        Replay(tmp_path / "x.db")
