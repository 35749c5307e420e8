"""Calls as chat requests, answers as texts, and constraints that servers follow or only seem to follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Message
from hcmlang.engines.hosted.chat import ChatModel, Constraints, negotiate
from hcmlang.engines.hosted.openai import OpenAIEngine
from hcmlang.engines.hosted.wire import ChatRequest, ChatResponse, usage_of
from tests.lang.programs import bound

Answer = Callable[[Mapping[str, Any]], Any]
MESSAGES = (Message("system", "You write."), Message("user", "Write a text."))
TEXT = 'text := "it is" ("not" | "never") text_of(words: 1..3, charset: "a-z")'
PAIR = 'pair := record { one := text_of(words: 1..2, charset: "a-z"), two := {one} ("too" | "never") }'


class Scripted:
    """A server whose answers are a function of the request's body: a text, a whole message, or None for no answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[ChatRequest] = []

    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        for request in reversed(requests):
            self.asked.append(request)
            said = self.answer(request.body)
            if said is None:
                yield [ChatResponse(request.key, None, "it is down")]
                continue
            choice = said if isinstance(said, dict) else {"message": {"content": said}, "finish_reason": "stop"}
            body = {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
            yield [ChatResponse(request.key, body, usage=usage_of(body))]


def config(**options: Any) -> OpenAIEngine:
    return OpenAIEngine.model_validate({"kind": "openai", "model": "m", **options})


def run(
    text: str, answer: Answer, constraints: Constraints = "none", count: int = 1, **options: Any
) -> tuple[list[Completion], list[ChatRequest]]:
    server = Scripted(answer)
    model = ChatModel(config(**options), server, constraints, "gpt")
    program = bound(text)
    calls = [Call(str(i), program.compile(lang.Row(i, i), model.dialect), i, MESSAGES) for i in range(count)]
    return sorted(model.complete(calls), key=lambda one: int(one.key)), server.asked


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("it is not good", "it is not good"),
        ('  "it is not good"\n', "it is not good"),
        ("<think>well, </think>\n\nit is not good", "it is not good"),
        ("it is good", None),
        ("Sure! it is not good", None),
    ],
)
def test_where_nothing_is_kept_every_text_is_tested(said: str, text: str | None) -> None:
    (found,), (asked,) = run(TEXT, lambda _: said)
    assert found.finish == ("stop" if text else "unkept")
    assert text is None or found.fields == {"text": text}
    assert not {"grammar", "response_format", "structured_outputs"} & set(asked.body)


@pytest.mark.parametrize("constraints", ["structured_outputs", "grammar", "json_schema"])
def test_a_server_that_only_seems_to_keep_a_program_is_found_out(constraints: Constraints) -> None:
    kept = json.dumps({"text": "it is not good"}) if constraints == "json_schema" else "it is not good"
    (found,), (asked,) = run(TEXT, lambda _: kept, constraints)
    assert (found.finish, found.fields) == ("stop", {"text": "it is not good"})
    key = "response_format" if constraints == "json_schema" else constraints
    assert key in asked.body
    broken = json.dumps({"text": "bad"}) if constraints == "json_schema" else "bad"
    (found,), _ = run(TEXT, lambda _: broken, constraints)
    assert found.finish == "unkept"


def test_the_fields_of_a_record_in_lines_and_in_json() -> None:
    good, bad = "one: a b\ntwo: a b too", "one: a b\ntwo: a c too"
    for said, finish in ((good, "stop"), (bad, "unkept"), ("a b", "unkept"), (f"Here:\n{good}", "stop")):
        for constraints in ("none", "grammar"):
            (found,), (asked,) = run(PAIR, lambda _, said=said: said, constraints)
            assert found.finish == finish, said
            assert asked.body["messages"][-1]["content"].endswith("one: ...\ntwo: ...")
    assert asked.body["grammar"].startswith('root ::= "one: " f0root "\\ntwo: " f1root')
    for said, finish in (
        ('{"one": "a b", "two": "a b too"}', "stop"),
        ('```json\n{"one": "a b", "two": "a b too"}\n```', "stop"),
        ('{"one": "a b", "two": 3}', "unkept"),
        ("[1", "unkept"),
    ):
        (found,), _ = run(PAIR, lambda _, said=said: said, "json_schema")
        assert found.finish == finish


def test_a_choice_is_asked_for_as_one_where_the_server_has_that() -> None:
    _, (asked,) = run('text := "a" | "b"', lambda _: "a", "structured_outputs")
    assert asked.body["structured_outputs"] == {"choice": ["a", "b"]}


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        (None, "refused", "it is down"),
        ({"message": {"content": None, "refusal": "I will not"}, "finish_reason": "stop"}, "refused", "I will not"),
        ({"message": {"content": None}, "finish_reason": "content_filter"}, "refused", "content_filter"),
        ({"message": {"content": "it is"}, "finish_reason": "length"}, "length", ""),
        ({}, "refused", "its answer is empty"),
    ],
)
def test_what_is_no_text(said: Any, finish: str, reason: str) -> None:
    (found,), _ = run(TEXT, lambda _: said)
    assert found.finish == finish
    assert reason in (found.error.message if found.error else "")


def test_keys_tell_apart_what_differs_and_nothing_else() -> None:
    _, first = run(TEXT, lambda _: "x", count=3)
    _, again = run(TEXT, lambda _: "y", count=3)
    assert [r.key for r in first] == [r.key for r in again]
    assert len({r.key for r in first}) == 3, "repeats of one question are independent"
    _, warmer = run(TEXT, lambda _: "x", count=3, temperature=0.5)
    _, other = run(TEXT, lambda _: "x", count=3, model="n")
    assert not {r.key for r in first} & ({r.key for r in warmer} | {r.key for r in other})
    assert {(r.purpose, r.arm) for r in first} == {("generate", "gpt")}


def test_the_body_says_what_the_spec_says() -> None:
    _, (asked,) = run(TEXT, lambda _: "x", top_p=0.9, max_tokens=9, extra={"reasoning_effort": "low"})
    assert asked.body.items() >= {
        "model": "m", "top_p": 0.9, "max_tokens": 9, "temperature": 1.0, "reasoning_effort": "low"
    }.items()  # fmt: skip
    _, (asked,) = run(TEXT, lambda _: "x", extra={"max_completion_tokens": 9})
    assert "max_tokens" not in asked.body
    _, (asked,) = run("text := text_of(words: 1..2, temperature: 0.3)", lambda _: "x")
    assert asked.body["temperature"] == 0.3


def test_a_judge_asks_again_where_the_answer_is_no_label() -> None:
    said = iter(["perhaps", '{"answer": "Positive"}', "**negative**"])
    server = Scripted(lambda _: next(said))
    model = ChatModel(config(), server, "none")
    (found,) = model.judge([MESSAGES], ["negative", "positive"])
    assert (found.label, len(server.asked)) == ("positive", 2)
    assert len({request.key for request in server.asked}) == 2
    assert model.judge([MESSAGES], ["negative", "positive"])[0].label == "negative"
    (none,) = ChatModel(config(), Scripted(lambda _: "?"), "none").judge([MESSAGES], ["negative", "positive"])
    assert none.label == ""


@pytest.mark.parametrize("keeps", ["structured_outputs", "grammar", "json_schema", "none"])
def test_what_a_server_keeps_is_found_by_asking(keeps: Constraints) -> None:
    def answer(body: Mapping[str, Any]) -> str:
        if keeps == "structured_outputs" and "structured_outputs" in body:
            return str(body["structured_outputs"]["choice"][0])
        if keeps == "grammar" and "grammar" in body:
            return str(json.loads(body["grammar"].removeprefix("root ::= ")))
        if keeps == "json_schema" and "response_format" in body:
            schema = body["response_format"]["json_schema"]["schema"]
            return json.dumps({"answer": schema["properties"]["answer"]["enum"][0]})
        return "Hello! How can I help you?"

    server = Scripted(answer)
    assert negotiate(config(), server) == keeps
    assert {request.purpose for request in server.asked} == {"probe"}


def test_a_server_that_refuses_what_it_does_not_know_is_asked_otherwise() -> None:
    def answer(body: Mapping[str, Any]) -> str:
        if "response_format" not in body:
            raise DiagnosticError(Diagnostic("server-refused", "unknown argument"))
        return '{"answer": "quartz-17-umbra"}'

    assert negotiate(config(), Scripted(answer)) == "json_schema"

    def refuse(body: Mapping[str, Any]) -> str:
        raise DiagnosticError(Diagnostic("server-refused", "no such model"))

    with pytest.raises(DiagnosticError, match="no such model"):
        negotiate(config(), Scripted(refuse))
