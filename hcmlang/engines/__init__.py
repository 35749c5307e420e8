"""Engines: who writes text under a compiled program."""

from __future__ import annotations

from hcmlang.engines.base import Engine
from hcmlang.engines.sampler import Sampler
from hcmlang.lang import Dialect
from hcmlang.spec.model import EngineConfig, SamplerEngine


def make(config: EngineConfig) -> Engine:
    """The engine of a spec; loads its model, if it has one."""
    if isinstance(config, SamplerEngine):
        return Sampler()
    from hcmlang.engines import transformers

    return transformers.load(config)


def dialect_of(config: EngineConfig) -> Dialect:
    """What programs are compiled to for an engine, without loading it."""
    return "sampler" if isinstance(config, SamplerEngine) else "lark"
