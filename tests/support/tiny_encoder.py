"""A tiny BERT of random weights that embeds any text of small letters, or ranks pairs of them."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

WIDTH, HIDDEN, LAYERS, HEADS, CONTEXT = 64, 128, 2, 2, 512
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_encoder(path: Path, *, pooling: int = 2, context: int = CONTEXT) -> Path:
    """Write the encoder; with `pooling` 4 it is a reranker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "bert")
    _describe(writer, pooling, context)
    _add_vocabulary(writer)
    for name, values in _tensors(pooling, context):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, pooling: int, context: int) -> None:
    writer.add_name("Tiny encoder")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType(pooling))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*SPECIAL, *(f"\u2581{letter}" for letter in letters), *letters]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * 52)
    writer.add_token_type_count(2)
    for name, token in (("pad", 0), ("unk", 1), ("bos", 2), ("sep", 3), ("mask", 4)):
        getattr(writer, f"add_{name}_token_id")(token)


def _tensors(pooling: int, context: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(2)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.2, shape).astype(np.float32)

    def norm(name: str) -> Iterator[tuple[str, np.ndarray]]:
        yield f"{name}.weight", np.ones(WIDTH, np.float32)
        yield f"{name}.bias", np.zeros(WIDTH, np.float32)

    yield "token_embd.weight", weights(len(SPECIAL) + 52, WIDTH)
    yield "position_embd.weight", weights(context, WIDTH)
    yield "token_types.weight", weights(2, WIDTH)
    yield from norm("token_embd_norm")
    for layer in range(LAYERS):
        at = f"blk.{layer}"
        for part, rows, columns in (
            *((f"attn_{name}", WIDTH, WIDTH) for name in ("q", "k", "v", "output")),
            ("ffn_up", HIDDEN, WIDTH),
            ("ffn_down", WIDTH, HIDDEN),
        ):
            yield f"{at}.{part}.weight", weights(rows, columns)
            yield f"{at}.{part}.bias", np.zeros(rows, np.float32)
        yield from norm(f"{at}.attn_output_norm")
        yield from norm(f"{at}.layer_output_norm")
    if pooling == gguf.PoolingType.RANK:
        yield "cls.output.weight", weights(1, WIDTH)
        yield "cls.output.bias", np.zeros(1, np.float32)
