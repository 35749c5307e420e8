"""The engine `batch`."""

from __future__ import annotations

from typing import Literal

from hcmlang.engines.base import EngineContext
from hcmlang.engines.hosted.base import Constraints, HostedEngine
from hcmlang.engines.hosted.wire import Transport

#: The folder of request files in a run directory.
FOLDER = "batch"


class BatchEngine(HostedEngine):
    """A model that answers files: hcmlang writes requests in the format of the OpenAI Batch API, the run stops, and continues
    once it has the answers. For half the price, for `vllm run-batch`, or for a model on a machine without network."""

    kind: Literal["batch"]
    """The engine with request files."""
    constraints: Constraints = "json_schema"
    """How the model's server enforces a program: vLLM's `structured_outputs`, llama.cpp's `grammar`, a JSON Schema in
    `response_format`, or not at all, so that answers are only tested."""

    @property
    def enforced_by(self) -> Constraints | None:
        return self.constraints

    def transport(self, context: EngineContext) -> Transport:
        from hcmlang.engines.hosted import request_files

        account = context.accountant.priced(self.price)
        journal = context.journal.path
        for request in request_files.waiting(journal):
            if request.body.get("model") == self.model:
                account.reserve(request)
        return request_files.RequestFiles(journal, context.folder / FOLDER, account)
