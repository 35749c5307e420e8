"""`backend: openvino`: a classifier's forward pass converted for CPUs, in bfloat16 where the CPU has matrix units for it.

The converted model is compared with the original on some rows and used only if both agree. 8-bit integers are not used: they
change probabilities by more than the margin between a confident mistake and none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hcmlang.classifiers.batches import Inputs
from hcmlang.diagnostics import Diagnostic, DiagnosticError

#: The largest accepted difference of a probability.
TOLERANCE = 0.02
_HINT = "set `classifier: {backend: torch}`"

#: From the inputs of a batch to its logits, shape (rows, labels).
Forward = Callable[[Inputs], torch.Tensor]


def converted(model: Any, sample: Sequence[Inputs]) -> Forward:
    """A transformers sequence classifier's forward pass in OpenVINO, compared with the original on the batches of `sample`.

    Raises :class:`DiagnosticError` if OpenVINO is not installed or cannot convert the model, or if a probability differs by
    more than :data:`TOLERANCE`.
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
            # Not `openvino.convert_model`, which does the same but sends telemetry.
            frontend = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(_Logits(model, names).eval(), example_input=example)
            network = frontend.convert(frontend.load(decoder))
        compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": precision()})
    except Exception as error:  # the frontend may raise anything
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
    """Raise an error if a probability differs by more than the tolerance."""
    most = 0.0
    with torch.inference_mode():
        for inputs in sample:
            pair = original(*(inputs[name] for name in names)), forward(inputs)
            expected, found = (torch.softmax(logits.float(), dim=-1).numpy() for logits in pair)
            # NaN fails too.
            most = max(most, float(np.nan_to_num(np.abs(expected - found), nan=1.0).max(initial=0)))
    if most > TOLERANCE:
        message = f"converted by OpenVINO, the classifier gives probabilities that differ by up to {most:.3f}"
        raise DiagnosticError(Diagnostic("conversion-differs", message, hint=_HINT))
