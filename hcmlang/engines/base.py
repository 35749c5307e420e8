"""The protocol of engines: how guided text comes about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang import CompiledProgram, Dialect


@dataclass(frozen=True)
class Message:
    """One turn of a conversation with a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Call:
    """One text wanted: a program compiled for an instance, and the seed of its own random stream."""

    key: str
    """Content key of the call; two calls with one key have the same answer."""
    program: CompiledProgram
    seed: int
    messages: tuple[Message, ...] = ()
    """What a language model is told; engines without one do not look at it."""


@dataclass(frozen=True)
class Completion:
    """The answer to a call. What the engine's dialect does not keep is not tested yet (:mod:`hcmlang.steps.writing.write`)."""

    key: str
    fields: Mapping[str, str]
    """The text of each field of the program; one field, named after the first rule, where it has no record."""
    finish: Literal["stop", "length", "refused", "unkept"] = "stop"
    """`length`: cut before the grammar was complete, because of a limit on tokens. `refused`: the engine gave up; `error`
    says why. `unkept`: the text is none of the program's, as a server wrote it that keeps no grammar."""
    tokens: int = 0
    """Written by a language model."""
    logprobs: Mapping[str, float] = field(default_factory=dict)
    """Of each field, the log-probability of its tokens among those that the grammar allowed."""
    error: Diagnostic | None = None


@dataclass(frozen=True)
class Judgement:
    """A label, and its probability among those that there are."""

    label: str
    probability: float | None = None
    """None where the engine does not tell."""


@runtime_checkable
class Judge(Protocol):
    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        """For each conversation the label that a language model gives, one of `labels`."""


@runtime_checkable
class Observed(Protocol):
    def status(self) -> str:
        """How it goes, in a few words for people."""


class Engine(Protocol):
    @property
    def dialect(self) -> Dialect:
        """What programs are compiled to for it."""

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, in any order. A call's answer does not depend on the calls beside it."""
