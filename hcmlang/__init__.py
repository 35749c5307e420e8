"""hcmlang: find, explain and repair the confident mistakes of text classifiers.

From Python: ``hcmlang.load("spec.yaml").run()``. From the command line: ``hcmlang run spec.yaml``. A program for your own
guidance code: ``hcmlang.program("reviews.hcm").guidance()``.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from hcmlang.version import __version__ as __version__

__all__ = [
    "BudgetExceeded",
    "Diagnostic",
    "DiagnosticError",
    "Experiment",
    "Run",
    "SpecError",
    "WaitingForAnswers",
    "load",
    "open_run",
    "program",
]

if TYPE_CHECKING:
    from hcmlang.api import Experiment, Run, load, open_run
    from hcmlang.diagnostics import BudgetExceeded, Diagnostic, DiagnosticError, SpecError, WaitingForAnswers
    from hcmlang.engines.guide import program

_MODULES = dict.fromkeys(("Experiment", "Run", "load", "open_run"), "hcmlang.api") | {
    "program": "hcmlang.engines.guide"
}

# OpenMP threads that spin while they wait slow every other job on the machine down several times. OpenMP reads these once,
# when torch loads it. A value that the user has set takes precedence.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


def __getattr__(name: str) -> Any:
    """Import the Python interface on first use, so that `import hcmlang` stays fast."""
    if name in __all__:
        return getattr(importlib.import_module(_MODULES.get(name, "hcmlang.diagnostics")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
