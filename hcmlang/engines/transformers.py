"""The engine `transformers`: a local causal language model of Hugging Face, guided by the compiled programs."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from llguidance import LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Message
from hcmlang.engines.decoding import Decoder
from hcmlang.engines.guided import GuidedModel
from hcmlang.engines.torch_batch import TorchBatch, recurrent
from hcmlang.spec.model import TransformersEngine

#: Rows side by side at most, where memory would allow more: beyond, a step takes as much longer as it brings.
MAX_ROWS = 256
#: The part of the free memory that the cache of keys and values may take.
MEMORY_SHARE = 0.5

_HINT = "give `engine.model` a hub id (and be online) or a folder with config.json, model.safetensors and a tokenizer"


class HubTokens:
    """The tokenizer of a Hugging Face model, with its chat template where it has one."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def prompt(self, messages: Sequence[Message], begun: str) -> list[int]:
        """Token ids of a conversation, up to where the answer, of which `begun` is there already, goes on."""
        plain = [{"role": message.role, "content": message.content} for message in messages]
        if self.tokenizer.chat_template and plain:
            text = self.tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
            ids = self.tokenizer(text + begun, add_special_tokens=False)["input_ids"]
        else:
            text = "".join(f"{one['content'].strip()}\n\n" for one in plain)
            ids = self.tokenizer(text + begun)["input_ids"]
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        return list(ids) or [start]


# -------------------------------------------------------------------------------------------------------------- loading


def load(config: TransformersEngine) -> GuidedModel:
    """The model of a hub id or a local folder. Only safetensors files are read, and no code that comes with a model.

    Raises :class:`DiagnosticError` where it does not load, or its tokenizer cannot be guided.
    """
    device = _device(config.device)
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(config.model, revision=config.revision, trust_remote_code=False)
            model = AutoModelForCausalLM.from_pretrained(
                config.model,
                revision=config.revision,
                dtype=_dtype(config.dtype, device),
                use_safetensors=True,
                trust_remote_code=False,
            ).to(device)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise DiagnosticError(_not_loaded(config.model, error)) from error
    if recurrent(model):
        message = f"the language model {config.model} keeps a running state in place of keys and values"
        hint = "take a model whose layers are attention, such as Llama, Qwen, Gemma, Mistral or Phi"
        raise DiagnosticError(Diagnostic("model-not-loaded", message, hint=hint))
    if config.compile:
        model.forward = torch.compile(model.forward, dynamic=True)
    guided = _guided(tokenizer, int(model.get_output_embeddings().weight.shape[0]), config.model)
    limit = int(config.memory_gb * 1e9 if config.memory_gb else _free_memory(device) * MEMORY_SHARE)
    rows = config.batch_size or _rows(model, limit, config.max_tokens)
    decoder = Decoder(TorchBatch(model, limit=limit), guided, rows, threads=torch.get_num_threads())
    return GuidedModel(config, HubTokens(tokenizer), guided, decoder)


def _rows(model: Any, limit: int, max_tokens: int) -> int:
    """How many rows of a usual length so much memory holds."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * size * next(model.parameters()).element_size()
    context = min(getattr(config, "max_position_embeddings", 4096) or 4096, 1024 + max_tokens)
    return max(1, min(MAX_ROWS, int(limit / (token * context))))


def _not_loaded(name: str, error: Exception) -> Diagnostic:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if re.search("trust_remote_code|custom code", str(error)):
        reason = "it comes with code of its own, which hcmlang never runs"
    return Diagnostic("model-not-loaded", f"cannot load the language model {name}: {reason}", hint=_HINT)


def _guided(tokenizer: Any, vocabulary: int, name: str) -> LLTokenizer:
    if tokenizer.eos_token_id is None:
        message = f"the tokenizer of {name} has no token for the end of a text"
        raise DiagnosticError(Diagnostic("tokenizer-refused", message, hint="take a model with an eos_token"))
    try:
        return from_tokenizer(tokenizer, n_vocab=vocabulary)
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        message = f"the tokenizer of {name} cannot be guided: {reason}"
        hint = "llguidance takes tokenizers of the `tokenizers` library (tokenizer.json)"
        raise DiagnosticError(Diagnostic("tokenizer-refused", message, hint=hint)) from error


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(found)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[wanted]:
        raise DiagnosticError(Diagnostic("no-device", f"there is no device `{wanted}` here", hint="use `device: auto`"))
    return torch.device(wanted)


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading reports and bars belong to nobody's terminal here."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)
        transformers.logging.enable_progress_bar()
