"""What passes between the program and a server that speaks the OpenAI chat protocol, and who carries it.

A request is the body that is posted; its key names its content and stays the same when it is asked again. A transport
answers requests: over the network, from request files that somebody else takes to a model, or from a recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Usage:
    """Tokens that a server says it read and wrote."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class ChatRequest:
    """A body for `POST /v1/chat/completions`.

    `key` is made from the body and from whatever else tells two requests of the same body apart: repeats of one
    question must stay independent. `purpose` says what it is for, such as `characterize` or `generate`, and `arm` for
    whom; both only sort the bill.
    """

    key: str
    body: Mapping[str, Any]
    purpose: str = ""
    arm: str = ""


@dataclass(frozen=True)
class ChatResponse:
    """A server's answer as it came, or the reason why there is none."""

    key: str
    body: Mapping[str, Any] | None
    """The `chat.completion` object; None where the call was given up."""
    error: str = ""
    """Why it was given up, in a sentence without secrets."""
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    """What it cost, failed attempts that were or may have been paid included."""
    attempts: int = 1
    seconds: float = 0.0
    """From the first attempt to the last byte."""


def usage_of(body: Mapping[str, Any]) -> Usage:
    """What a `chat.completion` object says was used; nothing where it says nothing."""
    usage = body.get("usage") or {}
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))


class BudgetSpent(Exception):
    """There is not enough left for another call. `limit` names what is used up: usd, tokens, calls or hours."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class AnswersWanted(Exception):
    """The run cannot go on by itself: answers have to come from elsewhere. `files` are the request files, `missing` the
    number of answers that they still want."""

    def __init__(self, files: Sequence[Path], missing: int) -> None:
        super().__init__(f"{missing:,} answers are wanted")
        self.files = tuple(files)
        self.missing = missing


@dataclass(frozen=True)
class Reservation:
    """The most that a call may cost, set aside before it is sent."""

    number: int
    usage: Usage
    usd: float


class Account(Protocol):
    """Who keeps the budget. Called from the thread that sends."""

    def reserve(self, request: ChatRequest) -> Reservation:
        """Set aside the most that one attempt may cost. Raises :class:`BudgetSpent` where that is not there."""

    def settle(self, reservation: Reservation, usage: Usage | None) -> float:
        """Book what an attempt used, and free the rest: a usage of zero where it certainly cost nothing, None where it may
        have been paid and nobody knows, which books all that was set aside. Returns US dollars."""


class Transport(Protocol):
    def send(self, requests: Sequence[ChatRequest]) -> Iterator[Sequence[ChatResponse]]:
        """Answer every request once, in any order, in groups as they arrive.

        Raises :class:`BudgetSpent` after what was under way has been handed over, where the budget ends before the
        requests do.
        """
