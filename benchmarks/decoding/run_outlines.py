"""Outlines with its llguidance backend, in batches; it copies one grammar to every row."""

from __future__ import annotations

from typing import Any

import outlines
import torch
from common import load, serve
from outlines.types import CFG


def main() -> None:
    """Answer `decode`."""
    setting, model, hf = load()
    wrapped = outlines.from_transformers(model, hf)

    def decode(rows: int, batch: int, seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        generator = outlines.Generator(wrapped, CFG(setting.grammars[0]), backend="llguidance")
        texts: list[str] = []
        for start in range(0, rows, batch):
            size = min(batch, rows - start)
            texts += generator.batch(
                [setting.prompt] * size, max_new_tokens=256, do_sample=True, temperature=1.0, top_k=0, top_p=1.0
            )
        tokens = sum(len(hf(text)["input_ids"]) for text in texts)
        return {"samples": len(texts), "tokens": tokens, "texts": texts}

    serve({"decode": decode}, ("torch", "transformers", "llguidance", "outlines"))


if __name__ == "__main__":
    main()
