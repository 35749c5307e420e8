"""llama.cpp's server: grammars, schemas, seeds and slots of a real server. `make test-servers` builds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hcmlang import lang
from hcmlang.engines.base import Call, Completion, Message
from hcmlang.engines.hosted.chat import DIALECT_OF, ChatModel, Constraints, negotiate
from hcmlang.engines.hosted.client import Client
from hcmlang.engines.hosted.journal import Spent
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.spending import Accountant
from tests.lang.programs import bound, satisfies
from tests.servers import hosted, llama_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(llama_server.binary() is None, reason="llama-server is not built: make test-servers"),
]
Place = tuple[str, str]
PROGRAMS = (
    'text := text_of(words: 3..6, charset: "a-z,") ~ "."\nrequire text contains any ["not", "hardly"]',
    'text := "it is" ("not" | "never") text_of(words: 1..3, charset: "a-z\'")',
    'text := "a" | "b \\"c\\"" | "d\\\\e"',
)
PAIR = (
    'pair := record { one := text_of(words: 1..3, charset: "a-z"), two := "the" text_of(words: 1..2, charset: "a-z") }'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with llama_server.serve(tmp_path_factory.mktemp("llama")) as place:
        yield place


def client(server: Place, **options: object) -> tuple[OpenAIEngine, Client]:
    body = {"kind": "openai", "model": server[1], "base_url": server[0], "max_tokens": 120, "concurrency": 6, **options}
    config = OpenAIEngine.model_validate(body)
    return config, Client(config, Accountant(None, Spent()).priced(None))


def written(server: Place, constraints: Constraints, text: str, count: int = 12) -> list[tuple[Call, Completion]]:
    config, transport = client(server)
    program, dialect = bound(text), DIALECT_OF[constraints]
    calls = {
        str(i): Call(str(i), program.compile(lang.Row(i, i), dialect), i, (Message("user", "Write a text."),))
        for i in range(count)
    }
    found = ChatModel(config, transport, constraints).complete(list(calls.values()))
    return sorted(((calls[one.key], one) for one in found), key=lambda pair: int(pair[1].key))


def test_it_is_found_out_that_grammars_are_kept(server: Place) -> None:
    assert negotiate(*client(server)) == "grammar"


@pytest.mark.parametrize("constraints", ["grammar", "json_schema"])
@pytest.mark.parametrize("text", [*PROGRAMS, PAIR])
def test_what_a_grammar_or_a_schema_promises_is_kept(server: Place, constraints: Constraints, text: str) -> None:
    found = written(server, constraints, text)
    assert len(found) == 12
    assert {one.finish for _, one in found} == {"stop"}, "every answer is one of the program's"
    for call, one in found:
        for guarantee in call.program.guarantees:
            if guarantee.level == "by construction":
                assert satisfies(one.fields, guarantee.constraint)


def test_seeds_decide_and_slots_do_not_mix(server: Place) -> None:
    first, again = ([one.fields for _, one in written(server, "grammar", PROGRAMS[1])] for _ in range(2))
    same = sum(a == b for a, b in zip(first, again, strict=True))
    assert same >= 10, "what a slot computed before may change a last digit"
    assert len({json.dumps(fields) for fields in first}) > 8


def test_a_judge_gives_labels(server: Place) -> None:
    config, transport = client(server)
    for constraints in ("grammar", "json_schema"):
        model = ChatModel(config, transport, constraints)
        found = model.judge([(Message("user", f"Label {i}."),) for i in range(6)], ["negative", "positive"])
        assert {one.label for one in found} <= {"negative", "positive"}


def test_the_whole_loop(server: Place, tmp_path: Path) -> None:
    hosted.project(tmp_path)
    spec = hosted.write_spec(tmp_path, more=f', base_url: "{server[0]}", concurrency: 4, max_tokens: 400')
    spec.write_text(spec.read_text().replace("constraints: json_schema", "constraints: auto"))
    done = hosted.run("run", spec, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "the server enforces programs (grammar)" in done.stderr
    hypotheses = [json.loads(line) for line in (tmp_path / "run" / "hypotheses.jsonl").read_text().splitlines()]
    assert sum(one["written"] for one in hypotheses) >= len(hypotheses)
