"""The engine `transformers`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hcmlang.engines.base import Engine, EngineContext
from hcmlang.engines.local.base import LocalEngine
from hcmlang.spec.base import Positive


class TransformersEngine(LocalEngine):
    """A local causal language model of Hugging Face, guided token by token by the program."""

    kind: Literal["transformers"]
    """The engine with a Hugging Face model in this process."""
    model: str
    """Hub id or folder of a model that `AutoModelForCausalLM` loads from safetensors, with its tokenizer."""
    revision: str | None = None
    """Branch, tag or commit of the model on the hub."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. `auto` uses an accelerator if there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format. `auto`: bfloat16 on CUDA; otherwise float32, in which a text does not depend on its batch."""
    batch_size: Positive | None = None
    """Texts written at once. Default: as many as fit into `memory_gb`, at most 256."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Gigabytes (10^9 bytes) for the keys and values of the texts. Default: half of the free memory."""
    compile: bool = False
    """Compile the model with `torch.compile`: slow to start, faster for long runs."""

    def accelerators(self) -> int:
        return int(self.device in ("auto", "cuda"))

    def make(self, context: EngineContext | None = None) -> Engine:
        from hcmlang.engines.local import hub_model

        return hub_model.load(self)
