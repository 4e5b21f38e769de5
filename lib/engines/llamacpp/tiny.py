"""A language model of half a megabyte that knows nothing: enough to try an engine with.

All its weights are zero, so they are a hole in the file. They are of the types that most downloads
have, because an engine built for another processor often dies in the code of just those types.
"""

import os
from pathlib import Path

from lib.fit.gguf import Tensor
from lib.fit.gguf_writer import Value, beginning, pairs_of
from lib.fit.quantizations import TENSOR_TYPES

WIDTH, HIDDEN, HEADS, CONTEXT = 256, 512, 4, 256
SPACE = "\u2581"
# No others: some engines refuse to answer with what is no UTF-8.
ASCII = tuple(f"<0x{byte:02X}>" for byte in range(128))
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # kinds of tokens
TOKENS = dict.fromkeys(ASCII, _BYTE) | {
    "<unk>": _UNKNOWN,
    "<s>": _CONTROL,
    "</s>": _CONTROL,
    SPACE: _NORMAL,
}
_TYPES = {kind.name: kind for kind in TENSOR_TYPES.values()}


def write_tiny(path: Path) -> None:
    """Write the model; it takes any ASCII text and continues it with nonsense."""
    made, size_bytes = beginning(pairs_of(_description()), _tensors())
    path.write_bytes(made)
    os.truncate(path, size_bytes)


def _description() -> dict[str, Value]:
    tokens = tuple(TOKENS)
    return {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": HIDDEN,
        "llama.block_count": 1,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": (0.0,) * len(tokens),
        "tokenizer.ggml.token_type": tuple(TOKENS.values()),
        "tokenizer.ggml.unknown_token_id": tokens.index("<unk>"),
        "tokenizer.ggml.bos_token_id": tokens.index("<s>"),
        "tokenizer.ggml.eos_token_id": tokens.index("</s>"),
    }


def _tensors() -> list[Tensor]:
    vocabulary = len(TOKENS)
    return [
        _tensor("token_embd", "Q4_K", WIDTH, vocabulary),
        _tensor("output_norm", "F32", WIDTH),
        _tensor("output", "Q6_K", WIDTH, vocabulary),
        _tensor("blk.0.attn_norm", "F32", WIDTH),
        _tensor("blk.0.attn_q", "Q4_K", WIDTH, WIDTH),
        _tensor("blk.0.attn_k", "Q4_K", WIDTH, WIDTH),
        _tensor("blk.0.attn_v", "Q6_K", WIDTH, WIDTH),
        _tensor("blk.0.attn_output", "Q4_K", WIDTH, WIDTH),
        _tensor("blk.0.ffn_norm", "F32", WIDTH),
        _tensor("blk.0.ffn_gate", "Q4_K", WIDTH, HIDDEN),
        _tensor("blk.0.ffn_up", "Q4_K", WIDTH, HIDDEN),
        _tensor("blk.0.ffn_down", "Q6_K", HIDDEN, WIDTH),
    ]


def _tensor(name: str, kind: str, width: int, rows: int = 1) -> Tensor:
    """Its offset is found when the file is written."""
    shape = (width, rows) if rows > 1 else (width,)
    size_bytes = width * rows // _TYPES[kind].block * _TYPES[kind].block_bytes
    return Tensor(f"{name}.weight", shape, kind, 0, size_bytes)
