"""A two-layer language model with random weights, and its tokenizer of bytes and some longer tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hcmlang.lang.emit.trial import Pick

#: Pairs of tokens that are tokens of their own.
_MERGES = [
    ("n", "o"),
    ("no", "t"),
    ("Ġ", "no"),
    ("Ġno", "t"),
    ("s", "o"),
    ("o", "d"),
    ("g", "o"),
    ("go", "od"),
    (".", "Ġ"),
]
_MERGES += [
    (",", "Ġ"),
    ("Ġ", "a"),
    ("i", "s"),
    ("Ġ", "is"),
    ("a", "b"),
    ("!", "!"),
    ("Ġ", "Ġ"),
    ("Ã", "¼"),
    ("Ġ", "the"),
]
_MERGES = [("t", "h"), ("th", "e"), *_MERGES]
_END = "<end>"


@lru_cache(maxsize=1)
def tokenizer() -> tuple[Any, int]:
    """The tokenizer for llguidance, and the number of tokens."""
    from llguidance.hf import from_tokenizer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [_END, *letters, *("".join(pair) for pair in _MERGES)]
    made = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=_MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=_END)
    return from_tokenizer(fast), len(tokens)


@lru_cache(maxsize=1)
def _model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tokenizer()[1],
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        initializer_range=0.5,
        bos_token_id=None,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def picker(seed: int) -> Pick:
    """Samples from what the model says, among the tokens that the mask allows."""
    import torch

    random = torch.Generator().manual_seed(seed)

    def pick(allowed: Any, before: Sequence[int]) -> int:
        with torch.inference_mode():
            said = _model()(torch.tensor([[0, *before]]), use_cache=False)
        logits = said.logits[0, -1][torch.from_numpy(allowed)]
        return int(allowed[int(torch.multinomial(logits.softmax(0), 1, generator=random))])

    return pick
