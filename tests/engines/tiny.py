"""Small language models with random weights, and tokenizers trained on generated text."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHAT = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tokenizer(size: int = 1000, chat: bool = False) -> Any:
    """A byte-level tokenizer trained on the project's own pages."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    # Made-up text, always the same, so that a change of a page changes no test.
    random = Random(0)
    words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 7))) for _ in range(600)]
    texts = [" ".join(random.choices(words, k=12)) for _ in range(1500)]
    made.train_from_iterator(texts + ["the film is not good", "the plot was hardly a surprise"] * 50, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", pad_token="<eos>", chat_template=CHAT if chat else None
    )


def model(vocabulary: int = 1024, context: int = 512, hidden: int = 64, layers: int = 2, seed: int = 0) -> Any:
    """A Llama with random weights; its vocabulary has more rows than the tokenizer has tokens."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def save(folder: Path, chat: bool = False, context: int = 512, *, plain: bool = False) -> Path:
    """A model folder, as one would download it. A `plain` model writes words, no single bytes, and most of its texts end."""
    made = model(context=context)
    if plain:
        with torch.no_grad():
            made.lm_head.weight[1:257] = 0
            made.lm_head.weight[0] *= 2
    made.save_pretrained(folder)
    tokenizer(chat=chat).save_pretrained(folder)
    return folder
