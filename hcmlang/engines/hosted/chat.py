"""Calls in the OpenAI chat protocol, over any transport.

A call becomes one request, whose body states the program in the way that the server understands. No server is trusted: every
answer is parsed and tested against the program's rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Judgement, Message
from hcmlang.engines.hosted.base import DIALECT_OF, Constraints, HostedEngine
from hcmlang.engines.hosted.wire import ChatRequest, ChatResponse, Transport
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang import CompiledProgram

#: Attempts at a judgement, when the answer is no label.
_JUDGE_TRIES = 3
#: Tokens that a server may write besides the label itself.
_LABEL_TOKENS = 64
#: A text that no model answers unless it is constrained to.
_NONCE = "quartz-17-umbra"

_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)


class ChatModel:
    """Answers calls with a model on a server; see :class:`hcmlang.engines.base.Engine`. `arm` and `purpose` only sort the
    bill."""

    def __init__(
        self,
        config: HostedEngine,
        transport: Transport,
        constraints: Constraints,
        arm: str = "",
        purpose: str = "generate",
    ) -> None:
        self.dialect = DIALECT_OF[constraints]
        self._config = config
        self._transport = transport
        self._constraints = constraints
        self._arm = arm
        self._purpose = purpose

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, each as soon as its response arrives."""
        requests = [(call, self._request(call)) for call in calls]
        waiting: dict[str, list[tuple[Call, _Question]]] = {}
        for call, (request, question) in requests:
            waiting.setdefault(request.key, []).append((call, question))
        for group in self._transport.send([request for _, (request, _) in requests]):
            for response in group:
                for call, question in waiting.pop(response.key, ()):
                    yield _completion(call, question, response)

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        """For each conversation, the label that the model gives; "" where it gives none in several attempts."""
        judged: dict[int, Judgement] = {}
        for attempt in range(_JUDGE_TRIES):
            open_ones = [number for number in range(len(messages)) if number not in judged]
            requests: dict[int, ChatRequest] = {}
            for number in open_ones:
                body = self._body(messages[number], derive_seed("judge", attempt), 0.0 if attempt == 0 else 1.0)
                body["max_tokens"] = _LABEL_TOKENS + max(len(label) for label in labels)
                body |= _choice(self._constraints, labels)
                requests[number] = self._made(body, ["judge", list(labels), attempt], "judge")
            answers = {r.key: r for group in self._transport.send(list(requests.values())) for r in group}
            for number, request in requests.items():
                label = _label(_content(answers[request.key]), labels)
                if label is not None:
                    judged[number] = Judgement(label)
            if len(judged) == len(messages):
                break
        return [judged.get(number, Judgement("")) for number in range(len(messages))]

    # -------------------------------------------------------------------------------------------------------- requests

    def _request(self, call: Call) -> tuple[ChatRequest, _Question]:
        question = _question(self._constraints, call.program)
        temperature = call.program.temperature
        body = self._body(
            [*call.messages[:-1], *_with(call.messages[-1:], question.format)],
            call.seed,
            self._config.temperature if temperature is None else temperature,
        )
        body |= question.body
        # The key has the whole seed: servers accept only 31 bits of it, and some ignore it.
        return self._made(body, [question.form, list(call.program.fields), call.seed], self._purpose), question

    def _body(self, messages: Sequence[Message], seed: int, temperature: float) -> dict[str, Any]:
        config = self._config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "temperature": temperature,
            "max_tokens": config.max_tokens,
            "seed": seed & 0x7FFFFFFF,
        }
        if config.top_p < 1:
            body["top_p"] = config.top_p
        if "max_completion_tokens" in config.extra:
            del body["max_tokens"]
        return body

    def _made(self, body: dict[str, Any], apart: list[Any], purpose: str) -> ChatRequest:
        body |= self._config.extra
        return ChatRequest(content_key([body, apart]), body, purpose, self._arm)


# ------------------------------------------------------------------------------------------------------------ questions


@dataclass(frozen=True)
class _Question:
    """How a program is requested, and the form of the answer."""

    form: Literal["text", "lines", "json"]
    body: Mapping[str, Any]
    format: str = ""
    """Tells the model the form."""


def _question(constraints: Constraints, program: CompiledProgram) -> _Question:
    fields = program.fields
    if constraints == "json_schema":
        keys = ", ".join(f'"{name}"' for name in fields)
        schema = program.to_json_schema()
        return _Question(
            "json", _schema(schema), f"Answer with a JSON object with the key{'s' * (len(fields) > 1)} {keys}."
        )
    lines = "\n".join(f"{name}: ..." for name in fields)
    instruction = "" if len(fields) == 1 else f"Answer with these lines and nothing else:\n{lines}"
    form: Literal["text", "lines"] = "text" if len(fields) == 1 else "lines"
    if constraints == "none":
        return _Question(form, {}, instruction)
    if constraints == "structured_outputs" and (listed := program.listed()) is not None:
        return _Question(form, _choice(constraints, listed))
    grammar = program.to_gbnf(fields[0]) if form == "text" else program.to_gbnf_lines()
    return _Question(form, _grammar(constraints, grammar), instruction)


def _grammar(constraints: Constraints, grammar: str) -> dict[str, Any]:
    return {"grammar": grammar} if constraints == "grammar" else {"structured_outputs": {"grammar": grammar}}


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    }


def _choice(constraints: Constraints, texts: Sequence[str]) -> dict[str, Any]:
    """The part of a body that allows only these texts; as a JSON Schema, an object with the key `answer`."""
    if constraints == "none":
        return {}
    if constraints == "structured_outputs":
        return {"structured_outputs": {"choice": list(texts)}}
    if constraints == "grammar":
        quoted = " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
        return {"grammar": f"root ::= {quoted}\n"}
    answer = {"type": "string", "enum": list(texts)}
    whole = {"type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False}
    return _schema(whole)


def _with(last: Sequence[Message], instruction: str) -> list[Message]:
    """The last message with an instruction added."""
    if not instruction:
        return list(last)
    if not last:
        return [Message("user", instruction)]
    return [Message(last[0].role, f"{last[0].content}\n\n{instruction}")]


# -------------------------------------------------------------------------------------------------------------- answers


def _completion(call: Call, question: _Question, response: ChatResponse) -> Completion:
    if response.body is None:
        error = Diagnostic("call-failed", f"the model gave no answer: {response.error}")
        return Completion(call.key, {}, "refused", error=error)
    written = response.usage.output
    if _choice_of(response).get("finish_reason") == "length":
        return Completion(call.key, {}, "length", written)
    content = _content(response)
    if content is None:
        reason = _choice_of(response).get("message", {}).get("refusal") or _choice_of(response).get("finish_reason")
        error = Diagnostic("call-failed", f"the model gave no text: {reason or 'its answer is empty'}")
        return Completion(call.key, {}, "refused", written, error=error)
    fields = _fields(question.form, content, call.program.fields)
    if fields is None or not call.program.conforms(fields):
        return Completion(call.key, fields or {}, "unkept", written)
    return Completion(call.key, fields, "stop", written)


def _choice_of(response: ChatResponse) -> Mapping[str, Any]:
    choices = (response.body or {}).get("choices") or [{}]
    return choices[0] if isinstance(choices[0], Mapping) else {}


def _content(response: ChatResponse) -> str | None:
    """The text of the answer, without the model's thoughts."""
    content = (_choice_of(response).get("message") or {}).get("content")
    return _THOUGHTS.sub("", content, count=1).strip() or None if isinstance(content, str) else None


def _fields(form: str, content: str, names: Sequence[str]) -> dict[str, str] | None:
    """The text of each field; None where the answer does not have the required form."""
    if form == "json":
        fence = _FENCE.fullmatch(content)
        try:
            value = json.loads(fence[1] if fence else content)
        except ValueError:
            return None
        if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
            return None
        return {name: value[name] for name in names}
    if form == "text":
        return {names[0]: _unquoted(content)}
    found: dict[str, str] = {}
    for line in content.splitlines():
        name, colon, text = line.partition(":")
        if colon and name.strip() in names and name.strip() not in found:
            found[name.strip()] = text.strip()
    return {name: found[name] for name in names} if len(found) == len(names) else None


def _unquoted(text: str) -> str:
    """The text without the quotes that models like to add."""
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _label(content: str | None, labels: Sequence[str]) -> str | None:
    """The label that an answer names in any form; None where it names none."""
    if content is None:
        return None
    try:
        value = json.loads(content)
    except ValueError:
        value = content
    if isinstance(value, dict):
        value = value.get("answer")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    name = value.strip().strip("`'\"*.").casefold()
    return next((label for label in labels if label.casefold() == name), None)


# ---------------------------------------------------------------------------------------------------------- negotiation


def negotiate(config: HostedEngine, transport: Transport, arm: str = "") -> Constraints:
    """The strongest way in which the server enforces programs, `none` where it enforces nothing: hcmlang asks for a text that
    a model would not write by itself.

    Raises :class:`DiagnosticError` where the server refuses all of these requests.
    """
    refused: DiagnosticError | None = None
    answered = False
    for way in ("structured_outputs", "grammar", "json_schema"):
        model = ChatModel(config, transport, way, arm, "probe")
        body = model._body([Message("user", "Say hello.")], 0, 0.0)
        body |= {"max_tokens": _LABEL_TOKENS} | _choice(way, [_NONCE])
        request = model._made(body, ["probe"], "probe")
        try:
            (response,) = (response for group in transport.send([request]) for response in group)
        except DiagnosticError as error:
            refused = error  # this server refuses such requests, or all of them
            continue
        answered = answered or response.body is not None
        if _label(_content(response), [_NONCE]) == _NONCE:
            return way
    if not answered and refused is not None:
        raise refused
    return "none"
