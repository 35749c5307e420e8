"""Sampling a token among those that a grammar allows, for all rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

#: Probabilities are summed in blocks of this many tokens.
_BLOCK = 256
#: Try this many of the likeliest tokens first, then all of them.
_CANDIDATES = 512


@dataclass(frozen=True)
class Sampling:
    """How a token is sampled among the allowed ones. `top_k` 0 and `top_p` 1 use all; `min_p` removes tokens less likely than
    this share of the likeliest (Nguyen et al. 2024); `repetition_penalty` divides the logits of tokens that have occurred
    (Keskar et al. 2019). A temperature of 0 chooses the likeliest."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 256


def masked(logits: torch.Tensor, bits: np.ndarray) -> torch.Tensor:
    """Logits with minus infinity for tokens that a row's mask does not allow."""
    mask = torch.from_numpy(bits).to(logits.device, non_blocking=True)
    # Eight at a time from a table: on a CPU several times faster than `masked_fill`.
    eights = torch.nn.functional.embedding(mask.view(torch.uint8).int(), _table(logits.device))
    return logits.add_(eights.flatten(1)[:, : logits.shape[1]])


@lru_cache(maxsize=2)
def _table(device: torch.device) -> torch.Tensor:
    """For each byte of a mask, what to add to the logits of its eight tokens."""
    with torch.inference_mode(False):
        bits = (torch.arange(256).unsqueeze(1) >> torch.arange(8)) & 1
        return torch.zeros(256, 8).masked_fill(bits == 0, -math.inf).to(device)


def sample(
    logits: torch.Tensor, settings: Sequence[Sampling], numbers: Sequence[float]
) -> tuple[list[int], list[float]]:
    """A token for each row by inversion of its distribution at its number (0 to below 1), and the token's log-probability
    among the allowed ones. `logits`: shape (rows, tokens)."""
    if any(setting.temperature not in (0, 1) for setting in settings):
        logits = logits / torch.tensor([s.temperature or 1.0 for s in settings], device=logits.device).unsqueeze(1)
    probabilities = torch.softmax(logits, dim=-1)
    narrow = [row for row, own in enumerate(settings) if own.top_k or own.top_p < 1 or own.min_p]
    if narrow:
        rows = torch.tensor(narrow, device=logits.device)
        probabilities[rows] = _narrowed(probabilities[rows], [settings[row] for row in narrow], _CANDIDATES)
    tokens = _inverted(probabilities, numbers)
    chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    greedy = torch.tensor([setting.temperature == 0 for setting in settings], device=logits.device)
    # A number at the edge may select a token that is not allowed.
    if (likeliest := greedy | (chosen <= 0)).any():
        tokens = torch.where(likeliest, probabilities.argmax(dim=-1), tokens)
        chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    return tokens.tolist(), chosen.log().tolist()


def penalize(logits: torch.Tensor, seen: Iterable[int], penalty: float) -> None:
    """Make the tokens `seen` less likely, in place; `logits`: shape (tokens,)."""
    tokens = torch.tensor(sorted(set(seen)), device=logits.device)
    values = logits[tokens]
    logits[tokens] = torch.where(values > 0, values / penalty, values * penalty)


def _inverted(probabilities: torch.Tensor, drawn: Sequence[float]) -> torch.Tensor:
    """For each row, the first token whose cumulative probability exceeds the row's number: first the block, then the token
    within it, so that only sums of blocks need double precision."""
    size, exact = probabilities.shape[1], torch.float32 if probabilities.device.type == "mps" else torch.float64
    whole = size // _BLOCK
    sums = probabilities[:, : whole * _BLOCK].reshape(-1, whole, _BLOCK).sum(dim=-1)
    sums = torch.cat([sums, probabilities[:, whole * _BLOCK :].sum(dim=-1, keepdim=True)], dim=1).to(exact)
    cumulated = sums.cumsum(dim=-1)
    wanted = (torch.tensor(drawn, dtype=exact, device=cumulated.device) * cumulated[:, -1]).unsqueeze(1)
    block = torch.searchsorted(cumulated, wanted, right=True).clamp(max=sums.shape[1] - 1)
    wanted = wanted - (cumulated - sums).gather(1, block)
    index = block * _BLOCK + torch.arange(_BLOCK, device=probabilities.device)
    within = probabilities.gather(1, index.clamp(max=size - 1)).to(exact).masked_fill(index >= size, 0).cumsum(dim=-1)
    # What rounding leaves beyond the sum of a block belongs to its last token with a probability.
    last = torch.searchsorted(within, within[:, -1:].contiguous())
    token: torch.Tensor = (
        block * _BLOCK + torch.minimum(torch.searchsorted(within, wanted, right=True), last)
    ).squeeze(1)
    return token.clamp(max=size - 1)


def _narrowed(probabilities: torch.Tensor, settings: Sequence[Sampling], count: int) -> torch.Tensor:
    """The distributions after `top_k`, `top_p` and `min_p`, from the `count` likeliest tokens if these are enough: sorting
    whole vocabularies takes longer than the model."""
    size = probabilities.shape[1]
    ordered, order = probabilities.topk(min(count, size))

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, device=probabilities.device).unsqueeze(1)

    keep = torch.arange(ordered.shape[1], device=ordered.device) < column([s.top_k or size for s in settings])
    keep &= ordered.cumsum(1) - ordered < column([s.top_p if s.top_p < 1 else math.inf for s in settings])
    keep &= ordered >= column([s.min_p for s in settings]) * ordered[:, :1]
    keep[:, 0] = True
    if count < size and keep[:, -1].any():
        return _narrowed(probabilities, settings, size)
    left = torch.zeros_like(probabilities).scatter_(1, order, ordered * keep)
    return left / left.sum(dim=1, keepdim=True)
