"""A causal language model of Hugging Face in this process, guided by compiled programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from llguidance import LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Message
from hcmlang.engines.local.decoding import Decoder
from hcmlang.engines.local.guided import GuidedModel
from hcmlang.engines.local.torch_batch import TorchBatch, recurrent
from hcmlang.engines.local.transformers import TransformersEngine
from hcmlang.pretrained import device_of, loading

#: The most rows in a batch: with more, a step takes proportionally longer.
MAX_ROWS = 256
#: The share of free memory for keys and values.
MEMORY_SHARE = 0.5

_HINT = "set `engine.model` to a hub id (when online) or a folder with config.json, model.safetensors and a tokenizer"


class HubTokens:
    """The tokenizer of a Hugging Face model, with its chat template if it has one."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def prompt(self, messages: Sequence[Message], begun: str) -> list[int]:
        """See :meth:`hcmlang.engines.local.guided.Tokens.prompt`."""
        plain = [{"role": message.role, "content": message.content} for message in messages]
        if self.tokenizer.chat_template and plain:
            text = self.tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
            ids = self.tokenizer(text + begun, add_special_tokens=False)["input_ids"]
        else:
            text = "".join(f"{turn['content'].strip()}\n\n" for turn in plain)
            ids = self.tokenizer(text + begun)["input_ids"]
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        return list(ids) or [start]


# -------------------------------------------------------------------------------------------------------------- loading


def load(config: TransformersEngine) -> GuidedModel:
    """Load a model from safetensors files. Code that comes with a model is never run.

    Raises :class:`DiagnosticError` where the model cannot be loaded or its tokenizer cannot be guided.
    """
    device = torch.device(device_of(config.device))
    with loading(config.model, _HINT, "language model"):
        tokenizer = AutoTokenizer.from_pretrained(config.model, revision=config.revision, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            config.model,
            revision=config.revision,
            dtype=_dtype(config.dtype, device),
            use_safetensors=True,
            trust_remote_code=False,
        ).to(device)
    if recurrent(model):
        message = f"the language model {config.model} has a recurrent state instead of keys and values"
        hint = "use a model with attention layers only, such as Llama, Qwen, Gemma, Mistral or Phi"
        raise DiagnosticError(Diagnostic("model-not-loaded", message, hint=hint))
    if config.compile:
        model.forward = torch.compile(model.forward, dynamic=True)
    guided = _guided(tokenizer, int(model.get_output_embeddings().weight.shape[0]), config.model)
    limit = int(config.memory_gb * 1e9 if config.memory_gb else _free_memory(device) * MEMORY_SHARE)
    rows = config.batch_size or _rows(model, limit, config.max_tokens)
    decoder = Decoder(TorchBatch(model, limit=limit), guided, rows, threads=torch.get_num_threads())
    return GuidedModel(config, HubTokens(tokenizer), guided, decoder)


def _rows(model: Any, limit: int, max_tokens: int) -> int:
    """How many rows of a typical length fit into the memory."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * size * next(model.parameters()).element_size()
    context = min(getattr(config, "max_position_embeddings", 4096) or 4096, 1024 + max_tokens)
    return max(1, min(MAX_ROWS, int(limit / (token * context))))


def _guided(tokenizer: Any, vocabulary: int, name: str) -> LLTokenizer:
    if tokenizer.eos_token_id is None:
        message = f"the tokenizer of {name} has no end-of-text token"
        raise DiagnosticError(Diagnostic("tokenizer-refused", message, hint="use a model with an eos_token"))
    try:
        return from_tokenizer(tokenizer, n_vocab=vocabulary)
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        message = f"the tokenizer of {name} cannot be guided: {reason}"
        hint = "llguidance supports tokenizers of the `tokenizers` library (tokenizer.json)"
        raise DiagnosticError(Diagnostic("tokenizer-refused", message, hint=hint)) from error


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 4 * 1024**3
