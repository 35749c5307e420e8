"""Engines: who writes text under a compiled program."""

from __future__ import annotations

from collections.abc import Sequence

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Engine
from hcmlang.engines.sampler import Sampler
from hcmlang.lang import Dialect
from hcmlang.spec.model import EngineConfig, LlamaCppEngine, ReplayEngine, SamplerEngine, TransformersEngine


def make(config: SamplerEngine | TransformersEngine | LlamaCppEngine) -> Engine:
    """The engine of a spec whose model, if it has one, is in this process; loads it. Those on servers belong to a run
    (:mod:`hcmlang.run.providers`)."""
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


def dialects_of(config: EngineConfig) -> Sequence[Dialect]:
    """What programs may be compiled to for an engine, without loading it; several where a server is yet to be asked."""
    if isinstance(config, SamplerEngine):
        return ("sampler",)
    if isinstance(config, TransformersEngine | LlamaCppEngine):
        return ("lark",)
    from hcmlang.engines.chat import DIALECT_OF

    hosted = config.engine if isinstance(config, ReplayEngine) else config
    if hosted.constraints == "auto":
        return tuple(dict.fromkeys(DIALECT_OF.values()))
    return (DIALECT_OF[hosted.constraints],)
