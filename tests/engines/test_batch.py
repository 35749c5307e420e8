"""Request files, and answers to them in any order, in several files, and with errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted import request_files as batch
from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.journal import Spent
from hcmlang.engines.hosted.request_files import Answers, RequestFiles
from hcmlang.engines.hosted.spending import Accountant, PricedAccount
from hcmlang.engines.hosted.wire import AnswersWanted, BudgetSpent, ChatRequest, Usage
from hcmlang.spec.model import Budget

PRICE = Price(input=1.0, output=2.0)


def account(**limits: Any) -> PricedAccount:
    return Accountant(Budget.model_validate(limits), Spent()).priced(PRICE)


def request(number: int, text: str = "x") -> ChatRequest:
    return ChatRequest(
        f"key{number}", {"model": "m", "messages": [{"role": "user", "content": text}]}, "generate", "gpt"
    )


@pytest.fixture
def files(tmp_path: Path) -> RequestFiles:
    return RequestFiles(tmp_path / "journal.db", tmp_path / "batch", account())


def ask(files: RequestFiles, requests: list[ChatRequest]) -> AnswersWanted:
    with pytest.raises(AnswersWanted) as wanted:
        list(files.send(requests))
    return wanted.value


def answer(key: str, text: str | None = "a", status: int = 200, error: Any = None) -> str:
    body = {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    if status != 200:
        body = {"error": {"message": "too long"}}
    response = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": "b", "custom_id": key, "response": None if error else response, "error": error}) + "\n"


def give(files: RequestFiles, folder: Path, *texts: str) -> Answers:
    paths = []
    for number, text in enumerate(texts):
        path = folder / f"answers-{number}.jsonl"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    found = batch.read(folder / "journal.db", paths)
    batch.taken(folder / "journal.db", found)
    return found


def test_requests_have_the_format_of_the_batch_api(files: RequestFiles) -> None:
    wanted = ask(files, [request(1, "é\u2028\n"), request(2)])
    (path,) = wanted.files
    assert wanted.missing == 2
    first, second = (json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1])
    assert first == {
        "custom_id": "key1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": request(1, "é\u2028\n").body,
    }
    assert second["custom_id"] == "key2"


def test_nothing_is_asked_twice(files: RequestFiles) -> None:
    first = ask(files, [request(1), request(2)])
    again = ask(files, [request(2), request(3)])
    assert [path.name for path in again.files] == ["requests-0001.jsonl", "requests-0002.jsonl"]
    assert [json.loads(line)["custom_id"] for line in again.files[1].read_text().splitlines()] == ["key3"]
    assert ask(files, [request(1)]).files == first.files
    assert list(files.send([])) == []


def test_answers_come_in_any_order_with_what_may_be_wrong_about_them(files: RequestFiles, tmp_path: Path) -> None:
    ask(files, [request(number) for number in range(6)])
    found = give(
        files,
        tmp_path,
        answer("key3") + answer("foreign") + answer("key1", status=400) + "\n",
        answer("key0") + answer("key3") + answer("key2", error={"code": "batch_expired", "message": "expired"}),
    )
    assert set(found.found) == {"key3", "key0"}
    assert found.failed == {"key1": "too long", "key2": "expired"}
    assert (found.duplicate, found.foreign, found.missing) == (1, 1, 2)
    assert found.found["key3"][1].usage == Usage(5, 2)
    assert found.found["key3"][1].usd == 9e-6
    assert found.summary() == (
        "2 answers read, 2 failed and will be requested again (expired; too long), 1 repeated, 1 from other runs, "
        "2 still missing"
    )
    wanted = ask(files, [request(number) for number in (1, 2, 4, 5)])
    new = [json.loads(line)["custom_id"] for line in wanted.files[-1].read_text().splitlines()]
    assert new == ["key1", "key2"], "what failed is in a new file, what is missing is not"
    assert [path.name for path in wanted.files] == ["requests-0001.jsonl", "requests-0002.jsonl"]
    assert sorted(one.key for one in batch.waiting(tmp_path / "journal.db")) == ["key1", "key2", "key4", "key5"]


def test_an_answer_that_came_late_beats_the_failure_before_it(files: RequestFiles, tmp_path: Path) -> None:
    ask(files, [request(1)])
    found = give(files, tmp_path, answer("key1", status=500), answer("key1"))
    assert (set(found.found), found.failed) == ({"key1"}, {})


@pytest.mark.parametrize(
    ("limits", "count"), [((2, 10**9), 3), ((10**9, 300), 5), ((10**9, 1), 5)], ids=["requests", "bytes", "large"]
)
def test_a_file_is_no_larger_than_a_provider_takes(
    files: RequestFiles, limits: tuple[int, int], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_REQUESTS", limits[0])
    monkeypatch.setattr(batch, "MAX_BYTES", limits[1])
    wanted = ask(files, [request(number, "x" * 100) for number in range(5)])
    assert len(wanted.files) == count
    asked = [json.loads(line)["custom_id"] for path in wanted.files for line in path.read_text().splitlines()]
    assert asked == [f"key{number}" for number in range(5)]


@pytest.mark.parametrize("line", ["not json", "[1]", '{"response": {}}', '{"custom_id": 3, "response": {}}'])
def test_a_file_that_holds_something_else_is_told_with_its_line(files: RequestFiles, line: str, tmp_path: Path) -> None:
    ask(files, [request(1)])
    with pytest.raises(DiagnosticError) as error:
        give(files, tmp_path, answer("key1") + line + "\n")
    (found,) = error.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("bad-answer", 2)
    assert [one.key for one in batch.waiting(tmp_path / "journal.db")] == ["key1"], "nothing was taken"
    with pytest.raises(DiagnosticError, match="cannot read"):
        batch.read(tmp_path / "journal.db", [tmp_path / "none.jsonl"])


def test_nothing_is_written_that_the_budget_does_not_bear(tmp_path: Path) -> None:
    files = RequestFiles(tmp_path / "journal.db", tmp_path / "batch", account(calls=2))
    with pytest.raises(BudgetSpent):
        list(files.send([request(1), request(2), request(3)]))
    assert not (tmp_path / "batch").exists()
    assert batch.waiting(tmp_path / "journal.db") == []
