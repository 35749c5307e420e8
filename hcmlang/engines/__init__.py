"""Engines: who writes text under a compiled program."""

from __future__ import annotations

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Engine
from hcmlang.engines.sampler import Sampler
from hcmlang.lang import Dialect
from hcmlang.spec.model import EngineConfig, LlamaCppEngine, SamplerEngine


def make(config: EngineConfig) -> Engine:
    """The engine of a spec; loads its model, if it has one."""
    if isinstance(config, SamplerEngine):
        return Sampler()
    if isinstance(config, LlamaCppEngine):
        try:
            from hcmlang.engines import llamacpp
        except ImportError as error:
            message = f"the engine `llamacpp` needs a package that is not there: {error}"
            hint = "pip install 'hcmlang[llamacpp]' (it is built from source: a C++ compiler and some minutes)"
            raise DiagnosticError(Diagnostic("missing-package", message, hint=hint)) from error
        return llamacpp.load(config)
    from hcmlang.engines import transformers

    return transformers.load(config)


def dialect_of(config: EngineConfig) -> Dialect:
    """What programs are compiled to for an engine, without loading it."""
    return "sampler" if isinstance(config, SamplerEngine) else "lark"
