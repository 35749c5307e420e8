"""A model in a GGUF file, run by llama.cpp and guided by compiled programs."""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as native

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Message
from hcmlang.engines.local.decoding import Decoder, OutOfMemory
from hcmlang.engines.local.guided import GuidedModel
from hcmlang.engines.local.llamacpp import LlamaCppEngine

_ERROR_LEVEL = 4


class GGUFTokens:
    """The tokenizer of a GGUF file, with its chat template if it has one."""

    def __init__(self, model: Any) -> None:
        self._model = model  # owns the vocabulary
        self._vocabulary = native.llama_model_get_vocab(model)
        template = native.llama_model_chat_template(model, None)
        self._chat = self._formatter(template.decode()) if template else None

    def prompt(self, messages: Sequence[Message], begun: str) -> list[int]:
        """See :meth:`hcmlang.engines.local.guided.Tokens.prompt`."""
        if self._chat is not None and messages:
            plain: list[Any] = [{"role": message.role, "content": message.content} for message in messages]
            ids = self._ids(self._chat(messages=plain).prompt + begun, templated=True)
        else:
            text = "".join(f"{message.content.strip()}\n\n" for message in messages)
            ids = self._ids(text + begun, templated=False)
        start = native.llama_vocab_bos(self._vocabulary)
        return ids or [start if start >= 0 else native.llama_vocab_eos(self._vocabulary)]

    def _ids(self, text: str, *, templated: bool) -> list[int]:
        """Token ids. Only a template writes special tokens; elsewhere, what looks like one is text."""
        data = text.encode()
        room = len(data) + 8
        tokens = (native.llama_token * room)()
        count = native.llama_tokenize(self._vocabulary, data, len(data), tokens, room, not templated, templated)
        return list(tokens[:count])

    def _formatter(self, template: str) -> Any:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        def text(token: int) -> str:
            return native.llama_vocab_get_text(self._vocabulary, token).decode() if token >= 0 else ""

        eos, bos = native.llama_vocab_eos(self._vocabulary), native.llama_vocab_bos(self._vocabulary)
        return Jinja2ChatFormatter(template, eos_token=text(eos), bos_token=text(bos))


def load(config: LlamaCppEngine) -> GuidedModel:
    """The model of a GGUF file. Raises :class:`DiagnosticError` where it does not load."""
    from llguidance.llamacpp import lltokenizer_from_vocab

    from hcmlang.engines.local.llama_batch import LlamaBatch

    path = Path(config.model)
    if not path.is_file():
        raise DiagnosticError(_not_loaded(config, "there is no such file"))
    threads = os.cpu_count() or 1
    with _errors() as errors:
        native.llama_backend_init()
        settings = native.llama_model_default_params()
        settings.n_gpu_layers = config.gpu_layers if config.gpu_layers >= 0 else 999
        model = native.llama_model_load_from_file(os.fsencode(path), settings)
        if not model:
            raise DiagnosticError(_not_loaded(config, errors[0] if errors else "llama.cpp cannot read it"))
        try:
            batch = LlamaBatch(model, config.batch_size, config.context, threads)
        except OutOfMemory as error:
            hint = "lower `engine.context`"
            raise DiagnosticError(Diagnostic("out-of-memory", f"{error}", hint=hint)) from error
    tokens = GGUFTokens(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # llguidance calls a deprecated function
        guided = lltokenizer_from_vocab(native.llama_model_get_vocab(model))
    return GuidedModel(config, tokens, guided, Decoder(batch, guided, config.batch_size, threads=threads))


def _not_loaded(config: LlamaCppEngine, reason: str) -> Diagnostic:
    hint = "set `engine.model` to the path of a GGUF file that this version of llama.cpp supports"
    return Diagnostic("model-not-loaded", f"cannot load the language model {config.model}: {reason}", hint=hint)


def _ignore(level: int, text: bytes, data: Any) -> None:
    """Hide the log of llama.cpp."""


#: llama.cpp keeps calling it, so it must never be freed.
_SILENT = native.llama_log_callback(_ignore)


@contextmanager
def _errors() -> Iterator[list[str]]:
    """The error messages of llama.cpp, line by line."""
    lines: list[str] = []

    def hear(level: int, text: bytes, data: Any) -> None:
        if level == _ERROR_LEVEL:
            lines.extend(line for line in text.decode("utf-8", "replace").splitlines() if line.strip())

    heard = native.llama_log_callback(hear)
    native.llama_log_set(heard, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        native.llama_log_set(_SILENT, ctypes.c_void_p(0))
