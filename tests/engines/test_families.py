"""Models of many families: batched rows, with forced tokens or late starts, have the same likelihoods as single rows."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.local.decoding import Decoder, Request
from hcmlang.engines.local.hub_model import load
from hcmlang.engines.local.sampling import Sampling
from hcmlang.engines.local.torch_batch import TorchBatch
from hcmlang.engines.local.transformers import TransformersEngine
from tests.engines import tiny

VOCABULARY = 1024
COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2Config", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "gpt-neo": (
        "GPTNeoConfig",
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 16},
    ),
    "bloom": ("BloomConfig", {"n_layer": 2, "n_head": 4}),
    "qwen3": ("Qwen3Config", {**COMMON, "head_dim": 16}),
    "phi3": ("Phi3Config", COMMON),
    "mistral with a window": ("MistralConfig", {**COMMON, "sliding_window": 16}),
    "gemma3": (
        "Gemma3TextConfig",
        {**COMMON, "head_dim": 16, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "llama4": (
        "Llama4TextConfig",
        {**COMMON, "head_dim": 16, "num_local_experts": 2, "intermediate_size_mlp": 64, "attention_chunk_size": 16},
    ),
}
GRAMMARS = (
    "start: FIELD\nFIELD: /[a-z ]{26,40}/\n",
    'start: FIELD\nFIELD: /[a-z]{3,9}/ (" in the end, the film" /[a-z]{2,8}/){3}\n',
)
PROMPTS = ("the film is not good the plot was hardly a surprise the film is not good", "x")


@lru_cache(maxsize=1)
def tokenizer() -> tuple[Any, Any]:
    made = tiny.tokenizer()
    return made, from_tokenizer(made, n_vocab=VOCABULARY)


def model(name: str) -> Any:
    kind, options = FAMILIES[name]
    config = getattr(transformers, kind)(**{"vocab_size": VOCABULARY, "hidden_size": 64, **options})
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for values in made.parameters():
            if values.dim() > 1:
                values.mul_(5)  # so that what a layer sees makes a difference
    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_is_as_likely_as_by_itself(name: str) -> None:
    made, (hf, guided) = model(name), tokenizer()
    prompts = [tuple(hf(text)["input_ids"]) for text in PROMPTS]
    requests = [Request(str(i), prompts[i % 2], GRAMMARS[i // 2 % 2], Sampling(), i) for i in range(9)]
    decoder = Decoder(TorchBatch(made), guided, 4)
    for output in decoder.decode(requests):
        number = int(output.key)
        prompt, grammar = prompts[number % 2], GRAMMARS[number // 2 % 2]
        matcher = LLMatcher(guided, LLMatcher.grammar_from_lark(grammar))
        with torch.inference_mode():
            logits = made(torch.tensor([[*prompt, *output.tokens]])).logits[0, :, :VOCABULARY]
        for place, (token, logprob) in enumerate(zip(output.tokens, output.logprobs, strict=True)):
            mask = torch.tensor(list(matcher.compute_bitmask()), dtype=torch.uint8)
            allowed = ((mask.unsqueeze(1) >> torch.arange(8)) & 1).flatten()[:VOCABULARY].bool()
            after = logits[len(prompt) - 1 + place].masked_fill(~allowed, -math.inf)
            assert logprob in (pytest.approx(torch.log_softmax(after, -1)[token].item(), abs=1e-4), 0.0)
            matcher.consume_token(token)
    assert decoder.statistics.forced > 50


def test_a_model_with_a_running_state_is_refused(tmp_path: Path) -> None:
    config = transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, state_size=8)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(DiagnosticError, match="has a recurrent state"):
        load(TransformersEngine(kind="transformers", model=str(tmp_path)))
