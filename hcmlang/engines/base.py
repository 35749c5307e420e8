"""The protocol of engines: what writes texts under a compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, runtime_checkable

from hcmlang.diagnostics import Diagnostic
from hcmlang.lang import CompiledProgram, Dialect

if TYPE_CHECKING:
    from hcmlang.engines.hosted.journal import Journal
    from hcmlang.engines.hosted.spending import Accountant

T = TypeVar("T")


@dataclass(frozen=True)
class Message:
    """One turn of a conversation with a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Call:
    """A request for one text: a program compiled for an instance, and the seed of its own random stream."""

    key: str
    """Content key of the call; calls with the same key have the same answer."""
    program: CompiledProgram
    seed: int
    messages: tuple[Message, ...] = ()
    """The conversation with a language model; engines without one ignore it."""


@dataclass(frozen=True)
class Completion:
    """The answer to a call. The caller tests the constraints that the engine's dialect cannot enforce."""

    key: str
    fields: Mapping[str, str]
    """The text of each field of the program; a program without a record has one field, named after its first rule."""
    finish: Literal["stop", "length", "refused", "unkept"] = "stop"
    """`length`: a limit on tokens cut the text before the grammar was complete. `refused`: the engine gave up for the reason
    in `error`. `unkept`: the text breaks the program, because the server does not enforce grammars."""
    tokens: int = 0
    """Written by a language model."""
    logprobs: Mapping[str, float] = field(default_factory=dict)
    """For each field, the log-probability of its tokens among those that the grammar allowed."""
    error: Diagnostic | None = None


@dataclass(frozen=True)
class Judgement:
    """A label, and its probability among the labels."""

    label: str
    probability: float | None = None
    """None where the engine does not know."""


@runtime_checkable
class Judge(Protocol):
    """An engine whose language model judges labels."""

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        """For each conversation, the label that the language model gives, one of `labels`."""


@runtime_checkable
class Observed(Protocol):
    """An engine that reports its state while it works."""

    def status(self) -> str:
        """The state in a few words for people."""


class Engine(Protocol):
    """Writes texts under compiled programs."""

    @property
    def dialect(self) -> Dialect:
        """What programs are compiled to for it."""

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, in any order. The answer to a call does not depend on the calls beside it."""


class EngineContext(Protocol):
    """What a run provides to :meth:`hcmlang.spec.kinds.EngineKind.make`. Local engines use none of it."""

    @property
    def source(self) -> str:
        """The source of instances that the calls are for; it only sorts the bill."""

    @property
    def purpose(self) -> str:
        """What the calls are for, such as `characterize` or `generate`; it only sorts the bill."""

    @property
    def folder(self) -> Path:
        """The run directory."""

    @property
    def journal(self) -> Journal:
        """The journal of the run's calls, opened on first use."""

    @property
    def accountant(self) -> Accountant:
        """The budget of the run, which starts with what the journal says was spent."""

    def note(self, text: str) -> None:
        """Show a line to the user."""

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once for all engines of the run."""
