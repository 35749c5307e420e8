"""hcmlang: find, explain and repair the confident mistakes of text classifiers.

From Python: ``hcmlang.load("spec.yaml").run()``. From the command line: ``hcmlang run spec.yaml``. A program for your own
guidance code: ``hcmlang.program("reviews.hcm").guidance()``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hcmlang.version import __version__ as __version__

__all__ = ["Experiment", "Run", "load", "open_run", "program"]

if TYPE_CHECKING:
    from hcmlang.api import Experiment, Run, load, open_run
    from hcmlang.engines.guide import program

# OpenMP threads that spin while they wait make every job beside them several times slower. The library reads these
# once, when torch loads it; a user's own setting stands.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


def __getattr__(name: str) -> Any:
    """The Python interface, imported when it is first used: `import hcmlang` alone stays light."""
    if name in __all__:
        return getattr(import_module("hcmlang.engines.guide" if name == "program" else "hcmlang.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
