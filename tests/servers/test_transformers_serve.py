"""A run with a real chat server that accepts constraints but ignores them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hcmlang import lang
from hcmlang.engines.base import Call, Message
from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.chat import ChatModel, negotiate
from hcmlang.engines.hosted.client import Client
from hcmlang.engines.hosted.journal import Journal, Journaled
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.spending import Accountant
from hcmlang.spec.model import Budget
from tests.lang.programs import bound
from tests.servers.transformers_serve import serve

Place = tuple[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serve(tmp_path_factory.mktemp("serve")) as place:
        yield place


def config(server: Place) -> OpenAIEngine:
    price = Price(input=1, output=2)
    return OpenAIEngine(kind="openai", model=server[1], base_url=server[0], max_tokens=40, concurrency=4, price=price)


def calls(text: str, count: int) -> list[Call]:
    program = bound(text)
    return [
        Call(str(i), program.compile(lang.Row(i, i), "none"), i, (Message("user", f"Write text {i}."),))
        for i in range(count)
    ]


@pytest.mark.slow
def test_what_it_does_not_keep_is_found_out_tested_and_in_the_books(server: Place, tmp_path: Path) -> None:
    engine = config(server)
    with Journal(tmp_path / "journal.db") as journal:
        accountant = Accountant(Budget(usd=1), journal.spent())
        transport = Journaled(Client(engine, accountant.priced(engine.price)), journal)
        assert negotiate(engine, transport, "gpt") == "none"
        model = ChatModel(engine, transport, "none", "gpt")
        free = list(model.complete(calls("text := /[^\\n]{1,400}/", 12)))
        assert {one.finish for one in free} <= {"stop", "unkept", "length", "refused"}
        assert any(one.finish == "stop" for one in free)
        strict = list(model.complete(calls('text := "the film is" ("good" | "bad")', 12)))
        assert {one.finish for one in strict} <= {"unkept", "length", "refused"}
        assert all(one.tokens > 0 for one in free)
        spent = journal.spent()
        assert spent.calls == 3 + 12, "strict and free programs ask the same where nothing is kept"
        assert spent.nano_usd > 0
    with Journal(tmp_path / "journal.db") as journal:
        dead = engine.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
        account = Accountant(None, journal.spent()).priced(engine.price)
        again = ChatModel(dead, Journaled(Client(dead, account), journal), "none", "gpt")
        said = {one.key: one.fields for one in again.complete(calls("text := /[^\\n]{1,400}/", 12))}
        assert said == {one.key: one.fields for one in free}
        assert journal.spent().calls == spent.calls
