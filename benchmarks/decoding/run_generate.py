"""`generate` of transformers without constraints: as it is called usually, and with the prompt's cache made once."""

from __future__ import annotations

from typing import Any

import torch
from common import load, serve
from transformers import DynamicCache


def main() -> None:
    """Answer `generate`."""
    setting, model, _ = load()

    def generate(rows: int, batch: int, seed: int, tokens: int, share: bool) -> dict[str, Any]:
        torch.manual_seed(seed)
        count = 0
        for start in range(0, rows, batch):
            size = min(batch, rows - start)
            ids = torch.tensor([setting.ids] * size)
            options: dict[str, Any] = {}
            if share:
                with torch.inference_mode():
                    cache = DynamicCache()
                    model(input_ids=ids[:1, :-1], cache=cache, use_cache=True, logits_to_keep=1)
                    cache.batch_repeat_interleave(size)
                options = {"past_key_values": cache}
            with torch.inference_mode():
                made = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    min_new_tokens=tokens,
                    max_new_tokens=tokens,
                    pad_token_id=0,
                    **options,
                )
            count += made.shape[0] * (made.shape[1] - ids.shape[1])
        return {"samples": rows, "tokens": count}

    serve({"generate": generate}, ("torch", "transformers"))


if __name__ == "__main__":
    main()
