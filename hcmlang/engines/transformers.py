"""The engine `transformers`: a local causal language model of Hugging Face, guided by the compiled programs."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import transformers
from llguidance import LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Judgement, Message
from hcmlang.engines.decoding import Decoder, Output, Request, Sampling
from hcmlang.hashing import derive_seed
from hcmlang.lang import Dialect
from hcmlang.spec.model import TransformersEngine

#: Rows side by side at most, where memory would allow more: beyond, a step takes as much longer as it brings.
MAX_ROWS = 256
#: The part of the free memory that the cache of keys and values may take.
MEMORY_SHARE = 0.5

_HINT = "give `engine.model` a hub id (and be online) or a folder with config.json, model.safetensors and a tokenizer"


class LocalModel:
    """Answers calls with a model in this process; see :class:`hcmlang.engines.base.Engine`."""

    dialect: ClassVar[Dialect] = "lark"

    def __init__(self, config: TransformersEngine, model: Any, tokenizer: Any) -> None:
        self._config = config
        self._hf = tokenizer
        self._model = model
        vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self._tokenizer = _guided(tokenizer, vocabulary, config.model)
        self.decoder = Decoder(model, self._tokenizer, config.batch_size or self._rows())

    def complete(self, calls: Sequence[Call]) -> Iterator[Completion]:
        """Answer the calls, each as soon as its text ends. The fields of a record are written one after the other, each
        in the sight of those before it."""
        states = {call.key: _State(call) for call in calls}
        count = max((len(call.program.fields) for call in calls), default=0)
        for number in range(count):
            current = [one for one in states.values() if number < len(one.names) and one.error is None]
            requests = [self._request(state, number) for state in current]
            for output in self.decoder.decode(requests):
                state = states[output.key]
                self._take(state, number, output)
                if number == len(state.names) - 1 or state.error is not None:
                    yield state.completion()

    def judge(self, messages: Sequence[Sequence[Message]], labels: Sequence[str]) -> list[Judgement]:
        """For each conversation the label that the model prefers of `labels`, and its probability among them: the product
        of its tokens' probabilities under the grammar that allows only the labels."""
        quoted = " | ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
        grammar = f"start: LABEL\nLABEL: {quoted}\n"
        sampling = Sampling(temperature=0, max_tokens=max(64, *(4 * len(label) for label in labels)))
        requests = [
            Request(str(number), tuple(self._prompt(one, "")), grammar, sampling, 0)
            for number, one in enumerate(messages)
        ]
        found: dict[int, Judgement] = {}
        for output in self.decoder.decode(requests):
            found[int(output.key)] = Judgement(self._text(output.tokens), math.exp(sum(output.logprobs)))
        return [found[number] for number in range(len(messages))]

    # -------------------------------------------------------------------------------------------------------- requests

    def _request(self, state: _State, number: int) -> Request:
        call, field = state.call, state.names[number]
        begun = "".join(f"{name}: {state.fields[name]}\n" for name in state.names[:number])
        begun += f"{field}: " if len(state.names) > 1 else ""
        state.grammars[field] = call.program.lark_grammar(field, state.fields)
        config = self._config
        temperature = call.program.temperature if call.program.temperature is not None else config.temperature
        sampling = Sampling(
            temperature, config.top_p, config.top_k, config.min_p, config.repetition_penalty, config.max_tokens
        )
        seed = derive_seed(call.seed, field)
        return Request(call.key, tuple(self._prompt(call.messages, begun)), state.grammars[field].text, sampling, seed)

    def _prompt(self, messages: Sequence[Message], begun: str) -> list[int]:
        """Token ids of a conversation, up to where the answer, of which `begun` is there already, goes on."""
        plain = [{"role": message.role, "content": message.content} for message in messages]
        if self._hf.chat_template and plain:
            text = self._hf.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
            ids = self._hf(text + begun, add_special_tokens=False)["input_ids"]
        else:
            text = "".join(f"{one['content'].strip()}\n\n" for one in plain)
            ids = self._hf(text + begun)["input_ids"]
        start = self._hf.bos_token_id if self._hf.bos_token_id is not None else self._hf.eos_token_id
        return list(ids) or [start]

    def _take(self, state: _State, number: int, output: Output) -> None:
        field = state.names[number]
        if output.finish == "refused":
            state.error = state.call.program.refused(field, state.grammars[field], output.error)
            return
        state.fields[field] = self._text(output.tokens)
        state.logprobs[field] = sum(output.logprobs)
        state.tokens += len(output.tokens)
        state.cut = state.cut or output.finish == "length"

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode_bytes(list(tokens)).decode("utf-8", "replace"))

    def _rows(self) -> int:
        """How many rows the memory bears."""
        config = self._model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        element = next(self._model.parameters()).element_size()
        token = 2 * config.num_hidden_layers * heads * size * element
        context = min(getattr(config, "max_position_embeddings", 4096) or 4096, 1024 + self._config.max_tokens)
        return max(1, min(MAX_ROWS, int(_free_memory(self._model.device) * MEMORY_SHARE / (token * context))))


@dataclass
class _State:
    """A call on its way."""

    call: Call

    def __post_init__(self) -> None:
        self.names = self.call.program.fields
        self.fields: dict[str, str] = {}
        self.logprobs: dict[str, float] = {}
        self.grammars: dict[str, Any] = {}
        self.tokens = 0
        self.cut = False
        self.error: Diagnostic | None = None

    def completion(self) -> Completion:
        finish: Literal["stop", "length", "refused"] = "refused" if self.error else "length" if self.cut else "stop"
        return Completion(self.call.key, self.fields, finish, self.tokens, self.logprobs, self.error)


# -------------------------------------------------------------------------------------------------------------- loading


def load(config: TransformersEngine) -> LocalModel:
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
    if config.compile:
        model.forward = torch.compile(model.forward, dynamic=True)
    return LocalModel(config, model, tokenizer)


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
