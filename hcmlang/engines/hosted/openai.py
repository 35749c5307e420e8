"""The engine `openai`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcmlang.diagnostics import render
from hcmlang.engines.base import EngineContext
from hcmlang.engines.hosted.base import Constraints, HostedEngine
from hcmlang.engines.hosted.wire import Transport


class OpenAIEngine(HostedEngine):
    """A model on any server that speaks the OpenAI chat protocol: OpenAI, vLLM, llama.cpp, SGLang, Ollama."""

    kind: Literal["openai"]
    """The engine with a model on a server."""
    base_url: str = "https://api.openai.com/v1"
    """The address of the server, including `/v1`."""
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    """The environment variable with the API key. Keys are never read from a file or written to one."""
    constraints: Literal["auto", "structured_outputs", "grammar", "json_schema", "none"] = "auto"
    """How the server enforces a program: vLLM's `structured_outputs`, llama.cpp's `grammar`, a JSON Schema in
    `response_format`, or not at all, so that answers are only tested. `auto` tries them out."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """The most concurrent calls. hcmlang lowers concurrency when the server rate-limits it."""
    timeout: Annotated[float, Field(gt=0)] = 120
    """Seconds for one attempt."""
    deadline: Annotated[float, Field(gt=0)] = 900
    """Seconds for a call with all its attempts and waits."""

    @property
    def enforced_by(self) -> Constraints | None:
        return None if self.constraints == "auto" else self.constraints

    def transport(self, context: EngineContext) -> Transport:
        from hcmlang.engines.hosted.client import Client

        account = context.accountant.priced(self.price)
        return Client(self, account, lambda diagnostic: context.note(render([diagnostic])))
