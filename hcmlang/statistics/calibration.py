"""Temperature scaling: confidence made to mean what it says, without a change of any prediction or of their ranking per label.

An arm that is merely less confident has fewer HCMs at a threshold. When every arm's confidence is calibrated first, what is
left of the difference is not that.
"""

from __future__ import annotations

import numpy as np

#: The range in which temperatures are looked for.
_LOWEST, _HIGHEST = 0.05, 20.0
_SMALLEST = 1e-12


def temperature(scores: np.ndarray, gold: np.ndarray) -> float:
    """The temperature at which the probabilities of held-out rows have the least log loss (Guo et al. 2017, section 4.2).

    `scores` are probabilities, shape (rows, labels); `gold` the classes. Above 1 the model was too sure.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(scores, _SMALLEST, None)).astype(np.float64)
    each = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        z -= z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[each, gold]).mean())

    found = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def scaled(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at another temperature, float32, same shape; the order of the labels of each row stays."""
    logits = np.log(np.clip(scores, _SMALLEST, None)).astype(np.float64) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
