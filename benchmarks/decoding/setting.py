"""Makes what all peers read: two small models with random weights, a tokenizer, a prompt, and a grammar for each row.

python benchmarks/decoding/setting.py FOLDER ROWS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hcmlang import lang
from hcmlang.diagnostics import Origin, Source

ROOT = Path(__file__).parents[2]
VOCABULARY = 32_000
PROMPT = 200
SHAPES = {
    "3M": {"hidden_size": 80, "intermediate_size": 240, "num_hidden_layers": 4, "num_attention_heads": 4},
    "25M": {"hidden_size": 384, "intermediate_size": 1344, "num_hidden_layers": 6, "num_attention_heads": 6},
}
PROGRAM = 'text := text_of(words: {words}, charset: "a-z ,")\nrequire text contains any hypothesis.triggers\n'
LABELS = ("negative", "positive")


def words(count: int) -> list[str]:
    """Made-up words of one to four syllables, each another one."""
    random = Random(0)
    starts, vowels, ends = (
        (*"bcdfghklmnprstvw", "br", "st", "tr"),
        (*"aeiou", "ea"),
        (*"nrstl", ""),
    )
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = range(random.choice((1, 2, 2, 3, 3, 4)))
        found["".join(random.choice(starts) + random.choice(vowels) + random.choice(ends) for _ in syllables)] = None
    return list(found)


def made_text(random: Random, known: list[str], count: int) -> str:
    """A text of so many words, a few of them frequent, most of them rare."""
    return " ".join(known[min(int(random.paretovariate(0.6)) - 1, len(known) - 1)] for _ in range(count))


def tokenizer(known: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of exactly 32,000 entries, trained on the project's own texts and made-up ones."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    random = Random(1)
    texts = [
        path.read_text("utf-8") for kind in ("md", "hcm", "py") for path in sorted(ROOT.glob(f"[dhps]*/**/*.{kind}"))
    ]
    texts += [made_text(random, known, 50) for _ in range(4000)] + [" ".join(known)]
    made.train_from_iterator(texts, trainer)
    if made.get_vocab_size() != VOCABULARY:
        raise SystemExit(f"the tokenizer has {made.get_vocab_size()} entries, not {VOCABULARY}")
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>", pad_token="<eos>")


def grammars(known: list[str], lengths: list[str]) -> list[str]:
    """A grammar for each row, for texts of so many words, each with another phrase."""
    random = Random(2)
    scope: dict[str, lang.Value] = {"target": "positive", "wrong": "negative", "labels": list(LABELS)}
    made = []
    for number, length in enumerate(lengths):
        text = PROGRAM.format(words=length)
        program, found = lang.analyse(text, Origin(Source("benchmark.hcm", text)), lang.default_names(LABELS))
        if program is None:
            raise SystemExit("\n".join(one.render() for one in found))
        bound = program.bind({**scope, "hypothesis.triggers": [" ".join(random.sample(known, 2))]})
        made.append(bound.compile(lang.Row(number, number), "lark").to_lark("text"))
    return made


def main(folder: Path, rows: int) -> None:
    """Write the folder."""
    known = words(40_000)
    hf = tokenizer(known)
    ids = hf(made_text(Random(3), known, 2 * PROMPT))["input_ids"][:PROMPT]
    prompt = hf.decode(ids)
    if hf(prompt)["input_ids"] != ids:
        raise SystemExit("the prompt is split another way when it is read again")
    setting: dict[str, Any] = {
        "prompt": prompt,
        "ids": ids,
        "grammars": grammars(known, ["8..20"] * rows),
        # A model with random weights seldom ends a text before it must: here each row must at another length.
        "unequal": grammars(known, [f"3..{3 + number * 7 % 30}" for number in range(rows)]),
        "parameters": {},
    }
    for name, shape in SHAPES.items():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            max_position_embeddings=1024,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
            tie_word_embeddings=True,
            **shape,
        )
        model = LlamaForCausalLM(config)
        setting["parameters"][name] = sum(one.numel() for one in model.parameters())
        model.save_pretrained(folder / name)
        hf.save_pretrained(folder / name)
    (folder / "setting.json").write_text(json.dumps(setting), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
