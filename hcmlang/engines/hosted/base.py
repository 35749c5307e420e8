"""What engines that speak the OpenAI chat protocol have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Engine, EngineContext
from hcmlang.engines.hosted.wire import Transport
from hcmlang.lang import Dialect
from hcmlang.spec.base import Model
from hcmlang.spec.kinds import EngineKind

#: How a server enforces a program.
Constraints: TypeAlias = Literal["structured_outputs", "grammar", "json_schema", "none"]
#: What programs are compiled to for it.
DIALECT_OF: dict[Constraints, Dialect] = {
    "structured_outputs": "gbnf",
    "grammar": "gbnf",
    "json_schema": "json",
    "none": "none",
}
_NOTES: dict[Constraints, str] = {
    "structured_outputs": "the server enforces programs (structured_outputs); hcmlang tests every answer as well",
    "grammar": "the server enforces programs (grammar); hcmlang tests every answer as well",
    "json_schema": "the server enforces JSON Schemas; hcmlang tests the other constraints, and asks again when one fails",
    "none": "the server enforces no constraint: hcmlang tests every answer, and asks again when a constraint fails",
}


class Price(Model):
    """The price of a hosted model, in US dollars for a million tokens."""

    input: Annotated[float, Field(ge=0)]
    """For tokens that the model reads."""
    output: Annotated[float, Field(ge=0)]
    """For tokens that the model writes."""


class HostedEngine(EngineKind):
    """A model behind the OpenAI chat protocol."""

    hosted = True
    billed = True

    model: str
    """The model's name on the server."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Below 1, likely tokens are chosen more often; at 0, always. A temperature in the program takes precedence."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Use only the likeliest tokens that together have this probability."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 512
    """An answer that is not complete after this many tokens is discarded and requested again."""
    price: Price | None = None
    """The price of the model. Required under a budget in US dollars; `{input: 0, output: 0}` for your own server."""
    extra: dict[str, Any] = Field({})
    """More keys of the request's body that the server understands, such as `reasoning_effort`."""

    @property
    @abstractmethod
    def enforced_by(self) -> Constraints | None:
        """How the server enforces programs; None where hcmlang has to try it out."""

    @abstractmethod
    def transport(self, context: EngineContext) -> Transport:
        """What carries requests to the model, within the budget."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return (DIALECT_OF[self.enforced_by],) if self.enforced_by else tuple(dict.fromkeys(DIALECT_OF.values()))

    @property
    def token_limit(self) -> int:
        return self.max_tokens

    def usd(self, read: int, written: int) -> float | None:
        return None if self.price is None else (read * self.price.input + written * self.price.output) / 1e6

    def make(self, context: EngineContext | None = None) -> Engine:
        return self.over(self.transport, self.model_dump_json(), context)

    def over(self, transport: Callable[[EngineContext], Transport], key: str, context: EngineContext | None) -> Engine:
        """The engine over a transport that the run makes once for each `key`, with the journal in between."""
        if context is None:
            message = f"the model {self.model} is hosted, so its calls need the journal of a run"
            raise DiagnosticError(Diagnostic("no-run", message, hint="`hcmlang run` makes one"))
        from hcmlang.engines.hosted.chat import ChatModel, negotiate
        from hcmlang.engines.hosted.journal import Journaled

        journaled = context.shared(f"transport {key}", lambda: Journaled(transport(context), context.journal))

        def enforced_by() -> Constraints:
            constraints = self.enforced_by
            if constraints is None:
                constraints = negotiate(self, journaled, context.source)
                context.note(f"{context.source}: {_NOTES[constraints]}")
            return constraints

        constraints = context.shared(f"constraints {key}", enforced_by)
        return ChatModel(self, journaled, constraints, context.source, context.purpose)
