"""What engines with a model in this process have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcmlang.lang import Dialect
from hcmlang.spec.kinds import EngineKind


class LocalEngine(EngineKind):
    """How a model in this process writes texts."""

    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Below 1, likely tokens are chosen more often; at 0, always. A temperature in the program takes precedence."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Use only the likeliest tokens that together have this probability."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Use only this many of the likeliest tokens; 0 for all."""
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Use only tokens at least this share as likely as the likeliest."""
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Above 1, tokens that have occurred become less likely."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 256
    """A text that is not complete after this many tokens is discarded and written again."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return ("lark",)

    @property
    def token_limit(self) -> int:
        return self.max_tokens
