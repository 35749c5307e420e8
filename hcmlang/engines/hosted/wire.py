"""Requests and responses of the OpenAI chat protocol, and the protocol of transports that carry them: over the network, in
request files, or from a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Usage:
    """Tokens that a server has read and written, as it reports."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class ChatRequest:
    """A body for `POST /v1/chat/completions`.

    `key` identifies the content: the body, and what distinguishes repeats of one question, which must stay independent.
    `purpose`, such as `characterize` or `generate`, and `arm` only sort the bill.
    """

    key: str
    body: Mapping[str, Any]
    purpose: str = ""
    arm: str = ""


@dataclass(frozen=True)
class ChatResponse:
    """A server's answer, or the reason why there is none."""

    key: str
    body: Mapping[str, Any] | None
    """The `chat.completion` object; None where the call was given up."""
    error: str = ""
    """Why the call was given up, without secrets."""
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    """The cost, including failed attempts that were or may have been paid."""
    attempts: int = 1
    seconds: float = 0.0
    """From the first attempt to the last byte."""


def usage_of(body: Mapping[str, Any]) -> Usage:
    """The usage that a `chat.completion` object states; zero where it states none."""
    usage = body.get("usage") or {}
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))


class BudgetSpent(Exception):
    """The budget does not cover another call. `limit` is what is used up: usd, tokens, calls or hours."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class AnswersWanted(Exception):
    """The run cannot continue without answers from elsewhere. `files` are the request files, `missing` is the number of
    missing answers."""

    def __init__(self, files: Sequence[Path], missing: int) -> None:
        super().__init__(f"{missing:,} answers are missing")
        self.files = tuple(files)
        self.missing = missing


@dataclass(frozen=True)
class Reservation:
    """The most that a call may cost, reserved before it is sent."""

    number: int
    usage: Usage
    usd: float


class Account(Protocol):
    """Keeps the budget of one model. Called from the thread that sends."""

    def reserve(self, request: ChatRequest) -> Reservation:
        """Reserve the most that one attempt may cost. Raises :class:`BudgetSpent` where the budget does not cover it."""

    def settle(self, reservation: Reservation, usage: Usage | None) -> float:
        """Book what an attempt used and free the rest. A usage of None, for attempts that may have been paid, books the whole
        reservation. Returns US dollars."""


class Transport(Protocol):
    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answer every request once, in any order, in groups as they arrive.

        Raises :class:`BudgetSpent` where the budget ends first, after the answers to running calls have been returned.
        """
