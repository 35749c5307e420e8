"""What every use of a Hugging Face model has in common: the device, quiet libraries, and errors in the user's terms."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError

from hcmlang.diagnostics import Diagnostic, DiagnosticError

_OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|ALLOC_FAILED", re.IGNORECASE)


def device_of(wanted: str) -> str:
    """The device for `auto`, `cpu`, `cuda` or `mps`. Raises :class:`DiagnosticError` where this machine does not have it."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in available.items() if there)
    if not available[wanted]:
        message = f"there is no {wanted} device on this machine"
        raise DiagnosticError(Diagnostic("no-device", message, hint="use `device: auto`"))
    return wanted


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a device has run out of memory; torch has its own exception for this on some devices only."""
    return isinstance(error, torch.OutOfMemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


@contextmanager
def loading(name: str | Path, hint: str, what: str = "model") -> Iterator[None]:
    """Turn what keeps a model from being loaded into a :class:`DiagnosticError`."""
    try:
        with quiet():
            yield
    except Exception as error:
        # `tokenizers` has no exception class of its own: for a damaged tokenizer.json it raises a bare Exception.
        known = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
        if type(error) is not Exception and not isinstance(error, known):
            raise
        raise DiagnosticError(not_loaded(name, error, hint, what)) from error


def not_loaded(name: str | Path, error: Exception, hint: str, what: str = "model") -> Diagnostic:
    """The finding that a model, named by its folder or hub id, cannot be loaded."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if re.search("trust_remote_code|custom code", str(error)):
        reason = "it comes with code of its own, which hcmlang never runs"
    return Diagnostic("model-not-loaded", f"cannot load the {what} {name}: {reason}", hint=hint)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the progress bars and remarks of transformers: hcmlang shows its own progress."""
    verbosity, bars = transformers.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.utils.logging.enable_progress_bar()
