"""The models of :mod:`tests.engines.tiny` as GGUF files for llama.cpp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.engines import tiny


def save(path: Path, chat: bool = False, context: int = 512) -> Path:
    """The same weights and tokenizer as the model folder that `tiny.save` writes, in one file."""
    import gguf

    model, tokenizer = tiny.model(context=context), tiny.tokenizer(chat=chat)
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _tokenizer(writer, tokenizer, config.vocab_size, chat)
    for name, values in _tensors(model):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokenizer(writer: Any, tokenizer: Any, size: int, chat: bool) -> None:
    import gguf

    pieces = {number: piece for piece, number in tokenizer.get_vocab().items()}
    tokens = [pieces.get(number, f"[PAD{number}]") for number in range(size)]
    kinds = [
        gguf.TokenType.UNUSED if n not in pieces else gguf.TokenType.CONTROL if n == 0 else gguf.TokenType.NORMAL
        for n in range(size)
    ]
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    if chat:
        writer.add_chat_template(tiny.CHAT)


def _tensors(model: Any) -> list[tuple[str, np.ndarray]]:
    state = {name: values.detach().float().numpy() for name, values in model.state_dict().items()}
    config = model.config
    found = [
        ("token_embd.weight", state["model.embed_tokens.weight"]),
        ("output_norm.weight", state["model.norm.weight"]),
        ("output.weight", state["lm_head.weight"]),
    ]
    for layer in range(config.num_hidden_layers):
        of = f"model.layers.{layer}"
        found += [
            (f"blk.{layer}.attn_norm.weight", state[f"{of}.input_layernorm.weight"]),
            (f"blk.{layer}.attn_q.weight", _paired(state[f"{of}.self_attn.q_proj.weight"], config.num_attention_heads)),
            (f"blk.{layer}.attn_k.weight", _paired(state[f"{of}.self_attn.k_proj.weight"], config.num_key_value_heads)),
            (f"blk.{layer}.attn_v.weight", state[f"{of}.self_attn.v_proj.weight"]),
            (f"blk.{layer}.attn_output.weight", state[f"{of}.self_attn.o_proj.weight"]),
            (f"blk.{layer}.ffn_norm.weight", state[f"{of}.post_attention_layernorm.weight"]),
            (f"blk.{layer}.ffn_gate.weight", state[f"{of}.mlp.gate_proj.weight"]),
            (f"blk.{layer}.ffn_up.weight", state[f"{of}.mlp.up_proj.weight"]),
            (f"blk.{layer}.ffn_down.weight", state[f"{of}.mlp.down_proj.weight"]),
        ]
    return found


def _paired(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring numbers of a head by their position, transformers those half a head apart."""
    shape = (heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return np.ascontiguousarray(weight.reshape(shape).swapaxes(1, 2).reshape(weight.shape))
