"""`backend: openvino`: a classifier's forward pass, converted for CPUs, in bfloat16 where the CPU has matrix units for it.

A converted model is asked about some rows that the original is asked about, too, and is used only where it says the same.
There are no 8-bit integers here: they move probabilities by more than lies between a confident mistake and none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hcmlang.classifiers.batches import Inputs
from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: By so much a probability may differ from the original's.
TOLERANCE = 0.02
_HINT = "set `classifier: {backend: torch}`"

#: From the inputs of a batch to its logits, shape (rows, labels).
Forward = Callable[[Inputs], torch.Tensor]


def converted(model: Any, sample: Sequence[Inputs]) -> Forward:
    """The forward pass of a sequence classifier of transformers, by OpenVINO. `sample` holds batches to compare both on.

    Raises :class:`DiagnosticError` where OpenVINO is not installed, cannot convert the model, or where a probability of the
    sample differs by more than :data:`TOLERANCE`.
    """
    try:
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    except ImportError as error:
        message = "`classifier.backend: openvino` needs the package openvino"
        raise DiagnosticError(Diagnostic("missing-package", message, hint="pip install 'hcmlang[openvino]'")) from error
    names = sorted(sample[0])
    example = tuple(sample[0][name] for name in names)
    core = openvino.Core()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer's, about conditions that lengths do not change
            # The frontend itself: `openvino.convert_model` does the same, and reports to its maker that it was called.
            frontend = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(_Logits(model, names).eval(), example_input=example)
            network = frontend.convert(frontend.load(decoder))
        compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": precision()})
    except Exception as error:  # the frontend raises whatever it meets in a model
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = f"OpenVINO cannot convert the classifier: {reason}"
        raise DiagnosticError(Diagnostic("not-converted", message, hint=_HINT)) from error

    def forward(inputs: Inputs) -> torch.Tensor:
        return torch.from_numpy(compiled([inputs[name].numpy() for name in names])[0].copy())

    _compare(_Logits(model, names), forward, names, sample)
    return forward


def precision() -> str:
    """`bf16` where this CPU has matrix units for it (AMX), else `f32`: with AVX-512 alone, bfloat16 is the slower one."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if known.get("amx_bf16") else "f32"


class _Logits(torch.nn.Module):
    """A classifier as a function of its inputs in the order of `names`."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(**dict(zip(self.names, values, strict=True))).logits
        return logits


def _compare(original: _Logits, forward: Forward, names: Sequence[str], sample: Sequence[Inputs]) -> None:
    """The largest difference of a probability must be small."""
    most = 0.0
    with torch.inference_mode():
        for inputs in sample:
            pair = original(*(inputs[name] for name in names)), forward(inputs)
            expected, found = (torch.softmax(logits.float(), dim=-1).numpy() for logits in pair)
            # What is not a number fails, too.
            most = max(most, float(np.nan_to_num(np.abs(expected - found), nan=1.0).max(initial=0)))
    if most > TOLERANCE:
        message = f"converted by OpenVINO, the classifier gives probabilities that differ by up to {most:.3f}"
        raise DiagnosticError(Diagnostic("conversion-differs", message, hint=_HINT))
