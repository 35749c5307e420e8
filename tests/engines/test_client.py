"""The transport over real sockets against a faulty server: no call is lost, repeated or unbooked, and no secret leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted import backoff, client
from hcmlang.engines.hosted.backoff import Gate, retry_after
from hcmlang.engines.hosted.client import Client
from hcmlang.engines.hosted.endpoint import Endpoint
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, ChatResponse, Reservation, Usage
from tests.engines.faults import MOST, USED, Asked, Plan, Purse, Reply, Server, answer, error, mixture, refusal, usd

KEY = "sk-proj-Zz9/secret+key=0123456789"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and waits that tests have time for."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(backoff, "BASE", 0.02)


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "hcmlang-client"] == []


def config(url: str, **options: Any) -> OpenAIEngine:
    return OpenAIEngine.model_validate({"kind": "openai", "model": "m", "base_url": url, **options})


def asking(count: int, **more: Any) -> list[ChatRequest]:
    body = {"model": "m", "messages": [{"role": "user", "content": "Write."}], **more}
    return [ChatRequest(f"key-{i}", {**body, "user": f"key-{i}"}, "generate", "gpt") for i in range(count)]


def run(
    plan: Plan, count: int = 1, purse: Purse | None = None, **options: Any
) -> tuple[list[ChatResponse], Exception | None, Server, Purse]:
    """All answers, the error that ended them, and who took part."""
    purse = purse or Purse()
    with Server(plan) as server:
        found, ended = drain(Client(config(server.url, **options), purse), asking(count))
    assert not purse.open
    return found, ended, server, purse


def drain(asked: Client, requests: Sequence[ChatRequest]) -> tuple[list[ChatResponse], Exception | None]:
    found: list[ChatResponse] = []
    try:
        for group in asked.send(requests):
            assert group
            found += group
    except (DiagnosticError, BudgetSpent) as ended:
        return found, ended
    return found, None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def content(response: ChatResponse) -> str:
    assert response.body is not None
    return str(response.body["choices"][0]["message"]["content"])


# ------------------------------------------------------------------------------------------------------------ the storm


def test_two_thousand_calls_through_faults_of_all_kinds() -> None:
    mixed = mixture(7)
    hopeless = {f"key-{i}" for i in range(0, 2000, 400)}

    def plan(asked: Asked) -> Reply:
        return Reply(500, {}, error("never")) if asked.name in hopeless else mixed(asked)

    purse = Purse(dollars=2.0)
    found, ended, server, _ = run(plan, 2000, purse, concurrency=32, timeout=1, deadline=15)
    assert ended is None
    assert Counter(response.key for response in found) == Counter(f"key-{i}" for i in range(2000))
    faulty = [reply for got in server.got.values() for _, reply in got if reply != Reply()]
    assert len(faulty) > 0.3 * server.attempts
    for response in found:
        if response.body is None:
            assert "given up after" in response.error
        else:
            assert content(response) == f"for {response.key}"
            assert (response.error, response.usage) == ("", USED)
        assert response.attempts >= len(server.got[response.key])
        assert response.usd >= server.billed[response.key] * usd(USED) - 1e-12
    assert {response.key for response in found if response.body is None} >= hopeless
    assert sum(response.body is None for response in found) < 20
    assert server.billed.total() * usd(USED) <= purse.booked <= 2.0
    assert purse.booked == pytest.approx(sum(response.usd for response in found))
    assert purse.most <= 32
    assert server.most <= 32


def test_no_more_calls_at_once_than_allowed() -> None:
    found, _, server, purse = run(lambda asked: Reply(wait=0.01), 200, concurrency=8)
    assert len(found) == 200
    assert server.most == purse.most == 8


def test_a_server_with_few_places_gets_few_calls() -> None:
    inside = 0

    def plan(asked: Asked) -> Reply:
        nonlocal inside
        inside = sum(time.monotonic() - started < 0.02 for started in recent[-40:])
        if inside >= 4:
            return refusal(429)
        recent.append(asked.time)
        return Reply(wait=0.02)

    recent: list[float] = []
    found, _, server, purse = run(plan, 200, concurrency=64)
    assert all(response.body for response in found)
    refused = server.attempts - 200
    assert 0 < refused < 200  # with all 64 at it all the time there are thousands
    assert purse.settled.count(Usage()) == refused
    assert purse.booked == pytest.approx(200 * usd(USED))


def test_a_gate_closes_for_refusals_and_opens_again() -> None:
    async def watched() -> None:
        gate = Gate(10)
        began = asyncio.get_running_loop().time()
        gate.refused(began, 0)
        gate.refused(began, 0)  # sent before the first was known
        assert await entered(gate) == 7
        for _ in range(100):
            gate.answered()
        assert await entered(gate) == 10
        gate.refused(asyncio.get_running_loop().time(), 0.1)
        assert await entered(gate) == 0
        await asyncio.sleep(0.1)
        assert await entered(gate) == 7

    async def entered(gate: Gate) -> int:
        tasks = [asyncio.create_task(gate.enter()) for _ in range(20)]
        await asyncio.sleep(0.01)
        inside = sum(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(inside):
            gate.leave()
        return inside

    asyncio.run(watched())


def test_a_place_is_not_lost_with_who_was_called_to_it() -> None:
    async def watched() -> None:
        gate = Gate(1)
        await gate.enter()
        first, second = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        gate.leave()
        first.cancel()
        await asyncio.wait_for(second, 1)

    asyncio.run(watched())


# ------------------------------------------------------------------------------------------------------- waits and times


@pytest.mark.parametrize(
    ("headers", "least"),
    [({"retry-after": "0.4"}, 0.4), ({"retry-after-ms": "300", "retry-after": "9"}, 0.3), ({"retry-after": ""}, 0.0)],
)
@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_server_is_given_the_time_that_it_asks_for(headers: Mapping[str, str], least: float, status: int) -> None:
    """By the other calls too, where it has too much to do."""

    def plan(asked: Asked) -> Reply:
        if asked.name == "key-0" and asked.attempt == 1:
            return Reply(status, headers, error("slow down"), billed=False)
        return Reply(wait=0.05)

    found, _, server, purse = run(plan, 20, concurrency=4)
    assert len(found) == 20
    assert purse.settled.count(None) == (status == 500)
    first, second = (asked.time for asked, _ in server.got["key-0"])
    assert least <= second - first < least + 0.5
    later = [asked.time - first for got in server.got.values() for asked, _ in got if asked.time > first + 0.04]
    assert (min(later) >= least - 0.01) == (status != 500 or not least)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"retry-after": "Wed, 99 Foo 2099 99:99:99 GMT"}, None),
    ],
)
def test_what_a_server_asks_for(headers: Mapping[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_server_may_ask_for_a_time_of_day() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": date}) == pytest.approx(30, abs=2)


def test_waits_grow_and_are_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE", 0.5)
    waits = {attempt: [backoff.backoff(attempt) for _ in range(500)] for attempt in (1, 2, 4, 1000)}
    for attempt, bound in ((1, 0.5), (2, 1.0), (4, 4.0), (1000, backoff.LONGEST)):
        assert 0.9 * bound < max(waits[attempt]) <= bound
        assert min(waits[attempt]) < 0.1 * bound


def test_a_call_ends_at_its_deadline() -> None:
    found, ended, server, purse = run(lambda asked: refusal(503, "still loading"), 3, deadline=0.6)
    assert ended is None
    for response in found:
        assert response.body is None
        assert response.error.startswith("the server said 503: still loading (given up after")
        assert response.attempts >= 2
        assert response.seconds < 3
        assert response.usd == 0
    assert purse.booked == 0
    assert server.billed.total() == 0


def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for() -> None:
    started = time.monotonic()
    (response,), _, _, _ = run(lambda asked: refusal(429, "later", retry_after="30"), deadline=0.5)
    assert response.attempts == 1
    assert time.monotonic() - started < 10


def test_a_trickle_of_bytes_is_no_answer() -> None:
    (response,), _, server, purse = run(lambda asked: Reply(how="trickle"), timeout=0.2, deadline=0.7)
    assert "there was no answer in 0." in response.error
    assert response.seconds < 5
    # The last attempt may have ended before the server heard of it.
    assert 2 <= len(server.got["key-0"]) <= response.attempts
    assert purse.booked == pytest.approx(response.attempts * usd(MOST)) == pytest.approx(response.usd)


def test_the_deadline_cuts_the_last_attempt() -> None:
    (response,), _, _, _ = run(lambda asked: Reply(wait=5), timeout=60, deadline=0.3)
    assert response.body is None
    assert 0.3 <= response.seconds < 4


# ------------------------------------------------------------------------------------------------------ what comes back


@pytest.mark.parametrize(
    ("first", "booked"),
    [
        (lambda asked: Reply(500, {}, error("it broke")), MOST),
        (lambda asked: Reply(502, {}, b"bad gateway"), MOST),
        (lambda asked: refusal(503), Usage()),
        (lambda asked: refusal(408), Usage()),
        (lambda asked: refusal(409), Usage()),
        (lambda asked: refusal(429), Usage()),
        (lambda asked: Reply(how="reset"), MOST),
        (lambda asked: Reply(how="cut"), MOST),
        (lambda asked: Reply(content=b""), MOST),
        (lambda asked: Reply(content=b"<html>"), MOST),
        (lambda asked: Reply(content=b"[" * 100_000), MOST),
        (lambda asked: Reply(content=b"[1]"), MOST),
        (lambda asked: Reply(content=b"null"), MOST),
        (lambda asked: Reply(headers={"content-encoding": "gzip"}, content=b"no gzip"), MOST),
        (lambda asked: Reply(content=error("upstream failed", code=502)), MOST),
        (lambda asked: Reply(content=answer(asked, choices=[])), USED),
        (lambda asked: Reply(content=answer(asked, choices=None)), USED),
        (lambda asked: Reply(content=answer(asked, choices=[None])), USED),
        (lambda asked: Reply(content=answer(asked, choices=[{"message": None}])), USED),
    ],
)
def test_what_is_no_answer_is_asked_again(first: Plan, booked: Usage) -> None:
    (response,), ended, _, purse = run(lambda asked: first(asked) if asked.attempt == 1 else Reply())
    assert ended is None
    assert content(response) == "for key-0"
    assert response.attempts == 2
    assert response.usage == USED
    assert response.usd == pytest.approx(usd(booked) + usd(USED)) == pytest.approx(purse.booked)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "much",
        {"prompt_tokens": "many", "completion_tokens": 1},
        {"prompt_tokens": -5},
        {"prompt_tokens": []},
    ],
)
def test_a_usage_that_is_not_told_is_booked_in_full(usage: Any) -> None:
    (response,), _, _, purse = run(lambda asked: Reply(content=answer(asked, usage=usage)))
    assert content(response) == "for key-0"
    assert response.usage == Usage()
    assert purse.booked == pytest.approx(usd(MOST)) == pytest.approx(response.usd)


def test_bodies_pass_as_they_are() -> None:
    more = {
        "structured_outputs": {"choice": ["né", "\ud800"]},
        "grammar": 'root ::= "x"',
        "chat_template_kwargs": {"a": None},
    }
    requests = asking(1, **more)
    reply = {
        "reasoning_content": "hm",
        "choices": [{"message": {"content": "é\u2028", "x": [1, 2.5, None]}}],
        "new": {},
    }
    with Server(lambda asked: Reply(content=json.dumps(reply).encode("utf-8-sig"))) as server:
        ((response,),) = Client(config(server.url), Purse()).send(requests)
    assert dict(server.got["key-0"][0][0].body) == dict(requests[0].body)
    assert response.body == reply


def test_what_comes_back_can_be_stored() -> None:
    (response,), _, _, _ = run(lambda asked: Reply(content=answer(asked).replace(b"for", b"\\ud83d\\ude00 \\ud83d")))
    assert content(response) == "😀 ? key-0"
    json.dumps(response.body, ensure_ascii=False).encode()


def test_another_model_is_told_of_once() -> None:
    notes: list[Diagnostic] = []
    names = ["m", "m-2024-07-18", "", None, "quite-another"]
    with Server(lambda asked: Reply(content=answer(asked, model=names[int(asked.name[4:]) % 5]))) as server:
        asked = Client(config(server.url), Purse(), notes.append)
        for _ in range(2):
            found, _ = drain(asked, asking(50))
            assert all(response.attempts == 1 and response.body for response in found)
    assert {(note.code, note.severity) for note in notes} == {("other-model", "note")}
    assert sorted(note.message.rpartition(" ")[2] for note in notes) == ["m-2024-07-18", "quite-another"]


# ------------------------------------------------------------------------------------------------------- what ends it all


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (refusal(401, "Incorrect API key provided"), "OPENAI_API_KEY"),
        (refusal(402, "no credit"), "credit"),
        (refusal(403, "not for you"), "may use the model m"),
        (refusal(404, "no such model"), "`/v1`"),
        (Reply(429, {}, error("You exceeded your quota", code="insufficient_quota"), billed=False), "credit"),
    ],
)
def test_a_refusal_of_all_ends_it_after_what_was_answered(reply: Reply, hint: str) -> None:
    def plan(asked: Asked) -> Reply:
        number = int(asked.name[4:])
        return reply if number == 20 else Reply(wait=0.1 if 17 < number < 23 else 0)

    found, ended, server, purse = run(plan, 300, concurrency=4)
    assert isinstance(ended, DiagnosticError)
    (diagnostic,) = ended.diagnostics
    assert diagnostic.code == "server-refused"
    assert f"the server said {reply.status}: " in diagnostic.message
    assert hint in (diagnostic.hint or "")
    assert ended.__cause__ is ended.__context__ is None
    assert len(server.got["key-20"]) == 1
    assert {response.key for response in found} == set(server.got) - {"key-20"}
    assert all(response.body for response in found)
    assert 20 <= len(found) < 40
    assert purse.booked == pytest.approx(len(found) * usd(USED))


def test_a_wrong_request_is_given_up_alone() -> None:
    def plan(asked: Asked) -> Reply:
        return refusal(400, "too long") if asked.name in ("key-3", "key-4", "key-5", "key-6") else Reply()

    found, ended, server, purse = run(plan, 20, concurrency=1)
    assert ended is None
    wrong = {response.key: response for response in found if response.body is None}
    assert set(wrong) == {"key-3", "key-4", "key-5", "key-6"}
    assert {(one.error, one.attempts, one.usd) for one in wrong.values()} == {("the server said 400: too long", 1, 0.0)}
    assert server.attempts == 20
    assert purse.booked == pytest.approx(16 * usd(USED))


@pytest.mark.parametrize("status", [400, 422])
def test_requests_that_are_all_wrong_end_it(status: int) -> None:
    found, ended, server, _ = run(lambda asked: refusal(status, "unknown key: grammar"), 1000, concurrency=2)
    assert isinstance(ended, DiagnosticError)
    assert [one.code for one in ended.diagnostics] == ["server-refused"]
    assert "unknown key: grammar" in str(ended)
    assert 3 <= server.attempts <= 5
    assert {response.key for response in found} == set(server.got)


def test_the_end_of_the_budget_comes_after_what_was_paid() -> None:
    found, ended, server, purse = run(lambda asked: Reply(wait=0.01), 500, Purse(attempts=100), concurrency=16)
    assert isinstance(ended, BudgetSpent)
    assert ended.limit == "calls"
    assert server.attempts == len(found) == 100
    assert purse.booked == pytest.approx(sum(response.usd for response in found)) == pytest.approx(100 * usd(USED))


def test_the_budget_holds_through_faults() -> None:
    purse = Purse(dollars=0.01)
    found, ended, server, _ = run(mixture(3), 500, purse, concurrency=16, timeout=0.2, deadline=3)
    assert isinstance(ended, BudgetSpent)
    assert 0 < len(found) < 200
    assert len({response.key for response in found}) == len(found)
    assert server.billed.total() * usd(USED) <= purse.booked <= 0.01
    assert sum(response.usd for response in found) <= purse.booked + 1e-12


def test_whoever_waits_ends_with_the_budget() -> None:
    """Calls that wait for their next attempt do not hold the end up."""

    def plan(asked: Asked) -> Reply:
        return refusal(500) if asked.name != "key-9" else Reply(wait=0.2)

    started = time.monotonic()
    _, ended, server, _ = run(plan, 11, Purse(attempts=10), concurrency=10)
    assert isinstance(ended, BudgetSpent)
    assert server.attempts == 10
    assert time.monotonic() - started < 1


class Broken(Purse):
    def settle(self, reservation: Reservation, usage: Usage | None) -> float:
        super().settle(reservation, usage)
        raise OSError("the disk is full")


def test_an_account_that_fails_ends_it() -> None:
    with Server() as server, pytest.raises(OSError, match="disk is full"):
        list(Client(config(server.url), Broken()).send(asking(100)))
    assert server.attempts <= 16


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.4)
    purse = Purse()
    url = f"http://user:password@127.0.0.1:{free_port()}/v1"
    found, ended = drain(Client(config(url), purse), asking(100))
    assert found == []
    assert isinstance(ended, DiagnosticError)
    assert [one.code for one in ended.diagnostics] == ["server-unreachable"]
    assert "password" not in str(ended)
    assert len(purse.settled) > 16
    assert purse.booked == 0


def test_a_server_that_comes_late_is_waited_for() -> None:
    purse, port = Purse(), free_port()
    late = Server(port=port)
    timer = threading.Timer(0.3, late.__enter__)
    timer.start()
    found, ended = drain(Client(config(late.url), purse), asking(10))
    timer.join()
    late.__exit__(None, None, None)
    assert ended is None
    assert all(response.body and response.attempts > 1 for response in found)
    assert purse.booked == pytest.approx(10 * usd(USED))


def test_a_server_that_goes_away_ends_it() -> None:
    with Server() as server:
        asked = Client(config(server.url, deadline=0.5), Purse())
        assert drain(asked, asking(3))[1] is None
    found, ended = drain(asked, asking(3))
    assert found == []
    assert isinstance(ended, DiagnosticError)
    assert [one.code for one in ended.diagnostics] == ["server-unreachable"]


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://x/v1", "http://", "http://x:y/v1", "http://[::1/v1"])
def test_an_address_that_is_none(url: str) -> None:
    _, ended = drain(Client(config(url), Purse()), asking(1))
    assert isinstance(ended, DiagnosticError)
    assert [one.code for one in ended.diagnostics] == ["server-unreachable"]


# ----------------------------------------------------------------------------------------------------- whoever goes away


def test_who_takes_no_more_ends_it() -> None:
    purse = Purse()
    with Server(lambda asked: Reply(wait=0.0 if asked.name == "key-0" else 30)) as server:
        groups = Client(config(server.url, concurrency=4), purse).send(asking(100))
        (response,) = next(iter(groups))
        while server.attempts < 5:
            time.sleep(0.01)
        started = time.monotonic()
        groups.close()  # type: ignore[attr-defined]
        assert time.monotonic() - started < 1
    assert response.key == "key-0"
    assert not purse.open
    assert Counter(purse.settled) == {USED: 1, None: 4}


def test_who_takes_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAITING", 10)
    found: list[ChatResponse] = []
    with Server() as server:
        for group in Client(config(server.url, concurrency=4), Purse()).send(asking(100)):
            found += group
            if len(found) < 80:
                time.sleep(0.1)
                assert server.attempts <= len(found) + 14
    assert len(found) == 100


INTERRUPTED = """
import gc, sys, threading, warnings
import hcmlang, hcmlang.engines.hosted.client
assert not {"openai", "httpx2"} & set(sys.modules)
from tests.engines.faults import Purse
from tests.engines.test_client import asking, config
purse = Purse()
asked = hcmlang.engines.hosted.client.Client(config(sys.argv[1], concurrency=8), purse)
try:
    for group in asked.send(asking(100)):
        print("ready", flush=True)
except KeyboardInterrupt:
    print("interrupted", [thread.name for thread in threading.enumerate()], len(purse.open), len(purse.settled))
gc.collect()
"""


def test_an_interrupted_program_ends_cleanly() -> None:
    with Server(lambda asked: Reply(wait=0.0 if asked.name == "key-0" else 30)) as server:
        command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", INTERRUPTED, server.url]
        root = Path(__file__).parents[2]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while server.attempts < 9:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert out == "interrupted ['MainThread'] 0 9\n"
    assert (err, process.returncode) == ("", 0)


HELD = """
import sys
from hcmlang.engines.hosted.client import Client
from tests.engines.faults import Purse
from tests.engines.test_client import asking, config
groups = Client(config(sys.argv[1]), Purse()).send(asking(100))
print(next(groups)[0].key)
"""


def test_a_program_ends_that_never_closed_what_it_took() -> None:
    with Server(lambda asked: Reply(wait=0.0 if asked.name == "key-0" else 30)) as server:
        root = Path(__file__).parents[2]
        command = [sys.executable, "-c", HELD, server.url]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=10, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("key-0\n", "", 0)


# --------------------------------------------------------------------------------------------------------------- secrets


def told(error: BaseException | None) -> Iterator[str]:
    """All that an error can say, and those that it came from."""
    while error is not None:
        yield from (repr(error), str(error), repr(vars(error)))
        error = error.__cause__ or error.__context__


def test_the_key_is_nowhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)

    def plan(asked: Asked) -> Reply:
        echo = asked.headers["authorization"]
        replies = {
            "key-0": Reply(content=answer(asked, echo=echo, model=echo)),
            "key-1": Reply(400, {"x-echo": echo}, error(f"what is {echo}?")),
            "key-2": Reply(422, {"x-echo": echo}, f"what is {echo}?".encode()),
            "key-3": Reply(500, {"x-echo": echo}, ("x" * 290 + echo).encode()),
            "key-4": Reply(content=f"<html>{echo}".encode()),
            "key-5": Reply(content=json.dumps({"error": {"code": {"sent": echo}}}).encode()),
            "key-6": Reply(413, {"x-echo": echo}, b"", wait=0.1),  # after an answer: the third that is wrong
            "key-7": Reply(401, {"x-echo": echo}, error(f"{echo} is no key"), wait=0.6),
        }
        return replies[asked.name]

    notes: list[Diagnostic] = []
    with Server(plan) as server:
        asked = Client(config(server.url, deadline=0.4, timeout=0.3), Purse(), notes.append)
        found, _ = drain(asked, asking(7))
        patient = Client(config(server.url), Purse(), notes.append)
        _, ended = drain(patient, asking(8)[7:])
        assert server.got["key-7"][0][0].headers["authorization"] == f"Bearer {KEY}"
    assert len(found) == 7
    assert isinstance(ended, DiagnosticError)
    assert "*** is no key" in str(ended)
    said = [repr(found), repr(notes), repr(vars(asked)), repr(vars(patient)), caplog.text, *capfd.readouterr()]
    said += [*told(ended), *(repr(vars(record)) for record in caplog.records)]
    for text in said:
        assert KEY not in text
        assert KEY[:8] not in text
    assert not [record for record in caplog.records if record.name.startswith(("openai", "httpx", "httpcore"))]


def test_user_and_password_of_an_address_are_nowhere() -> None:
    def plan(asked: Asked) -> Reply:
        return refusal(401, f"{asked.headers['authorization']}: hunter22 is wrong for http://anne-user:hunter22@host/")

    with Server(plan) as server:
        url = server.url.replace("://", "://anne-user:hunter22@")
        _, ended = drain(Client(config(url), Purse()), asking(1))
    text = "\n".join(told(ended))
    assert "server-refused" in text
    for secret in ("anne-user", "hunter22", "YW5uZS11c2VyOmh1bnRlcjIy"):
        assert secret not in text


@pytest.mark.parametrize("value", [None, "", "  ", "sk-one sk-two-secret", "sk-sécret", "sk-a\nsk-secret"])
def test_a_missing_key_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    purse = Purse()
    found, ended = drain(Client(config("https://user:secret@api.example.com/v1", key_env="MY_KEY"), purse), asking(3))
    assert (found, purse.settled) == ([], [])
    assert isinstance(ended, DiagnosticError)
    assert [one.code for one in ended.diagnostics] == ["no-key"]
    assert "set MY_KEY to your key" in str(ended)
    assert "secret" not in str(ended)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "192.168.3.4", "10.0.0.1", "vllm", "gpu.local"])
def test_a_server_nearby_needs_no_key(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert Endpoint(config(f"http://{host}:8000/v1")).key == "none"


def test_nothing_is_asked_for_nothing() -> None:
    assert list(Client(config("nowhere"), Purse()).send([])) == []
