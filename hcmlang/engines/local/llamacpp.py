"""The engine `llamacpp`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Engine, EngineContext
from hcmlang.engines.local.base import LocalEngine


class LlamaCppEngine(LocalEngine):
    """A local model in a GGUF file, quantized or not, run by llama.cpp and guided token by token by the program."""

    needs_extra = "llamacpp"

    kind: Literal["llamacpp"]
    """The engine with a GGUF file. Needs `pip install 'hcmlang[llamacpp]'`."""
    model: str
    """The GGUF file, relative to the current directory."""
    batch_size: Annotated[int, Field(ge=1, le=255)] = 16
    """Texts written at once."""
    context: Annotated[int, Field(ge=64)] = 8192
    """Tokens in memory at once, of all texts together. What their prompts have in common counts once."""
    gpu_layers: Annotated[int, Field(ge=-1)] = -1
    """Layers of the model on an accelerator, if llama.cpp was built for one; -1 for all."""

    def accelerators(self) -> int:
        return 1

    def make(self, context: EngineContext | None = None) -> Engine:
        try:
            from hcmlang.engines.local import gguf_model
        except ImportError as error:
            message = f"the engine `llamacpp` needs a package that is not installed: {error}"
            hint = f"pip install 'hcmlang[{self.needs_extra}]' (builds from source with a C++ compiler; takes some minutes)"
            raise DiagnosticError(Diagnostic("missing-package", message, hint=hint)) from error
        return gguf_model.load(self)
