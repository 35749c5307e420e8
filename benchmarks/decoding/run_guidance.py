"""guidance, which writes one text at a time; what it computed for the prompt is used again."""

from __future__ import annotations

from typing import Any

import numpy
from common import load, serve
from guidance import lark, models


def main() -> None:
    """Answer `decode`."""
    setting, model, hf = load()
    wrapped = models.Transformers(model, hf, echo=False, enable_monitoring=False)

    def decode(rows: int, seed: int) -> dict[str, Any]:
        numpy.random.seed(seed)  # guidance draws from the global stream
        prompted = wrapped + setting.prompt
        texts = []
        for number in range(rows):
            state = prompted + lark(setting.grammars[number], name="text", temperature=1.0)
            texts.append(str(state["text"]))
        tokens = sum(len(hf(text)["input_ids"]) for text in texts)
        return {"samples": rows, "tokens": tokens, "texts": texts}

    serve({"decode": decode}, ("torch", "transformers", "llguidance", "guidance"))


if __name__ == "__main__":
    main()
