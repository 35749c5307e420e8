"""hcmlang's decoder, and the model's own forward pass beside it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch
from common import load, serve
from llguidance.hf import from_tokenizer
from transformers import DynamicCache

from hcmlang.engines.local.decoding import Decoder, Request
from hcmlang.engines.local.sampling import Sampling
from hcmlang.engines.local.torch_batch import TorchBatch


def main() -> None:
    """Answer `decode` and `forward`."""
    setting, model, hf = load()
    tokenizer = from_tokenizer(hf, n_vocab=len(hf))

    def decode(
        rows: int,
        batch: int,
        seed: int,
        different: bool = True,
        unequal: bool = False,
        share: bool = True,
        replace: bool = True,
    ) -> dict[str, Any]:
        grammars = setting.unequal if unequal else setting.grammars
        prompt = tuple(setting.ids)
        requests = [
            Request(str(i), prompt, grammars[i if different else 0], Sampling(), seed * 10_000 + i) for i in range(rows)
        ]
        rows_of = TorchBatch(model, share_prefixes=share)
        decoder = Decoder(rows_of, tokenizer, batch, threads=torch.get_num_threads(), replace_rows=replace)
        outputs = sorted(decoder.decode(requests), key=lambda output: int(output.key))
        assert all(output.finish == "stop" for output in outputs)
        return {
            "samples": len(outputs),
            "tokens": sum(len(output.tokens) for output in outputs),
            "lengths": [len(output.tokens) for output in outputs],
            "texts": [tokenizer.decode_bytes(list(output.tokens)).decode() for output in outputs],
            "statistics": asdict(decoder.statistics),
            "cache": decoder.memory / 1e6,
        }

    def forward(batch: int, steps: int) -> dict[str, Any]:
        """So many steps of the model alone, after the prompt; what it does at best when nothing is sampled."""
        with torch.inference_mode():
            cache = DynamicCache()
            model(input_ids=torch.tensor([setting.ids]), cache=cache, use_cache=True, logits_to_keep=1)
            cache.batch_repeat_interleave(batch)
            ids = torch.full((batch, 1), setting.ids[-1])
            started = time.perf_counter()
            for _ in range(steps):
                model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=1)
            return {"seconds": time.perf_counter() - started, "samples": batch, "tokens": batch * steps}

    serve({"decode": decode, "forward": forward}, ("torch", "transformers", "llguidance"))


if __name__ == "__main__":
    main()
