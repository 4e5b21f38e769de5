"""Tiny GGUF files, written by the official writer: a Llama of 115,000 random weights that loads.

Its vocabulary is the 256 bytes and a few special tokens, so it takes any text, and says nonsense.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

WIDTH, HIDDEN, LAYERS, HEADS = 64, 128, 2, 2
SPECIAL = ("<|bos|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny(
    path: Path,
    *,
    template: str | None = CHATML,
    context: int = 1024,
    architecture: str = "llama",
    parts: int = 1,
) -> list[Path]:
    """Write the model and return its files: `path`, or `parts` files named after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = list(_tensors())
    writer = gguf.GGUFWriter(
        path, architecture, split_max_tensors=-(-len(tensors) // parts) if parts > 1 else 0
    )
    _describe(writer, context)
    _add_vocabulary(writer, template)
    for name, values in tensors:
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return writer.format_shard_names(path) if parts > 1 else [path]


def write_truncated(path: Path) -> Path:
    """A download that ended after its header."""
    [whole] = write_tiny(path)
    whole.write_bytes(whole.read_bytes()[:-1000])
    return path


def write_wrong_magic(path: Path) -> Path:
    """Four wrong bytes before an otherwise good file."""
    [whole] = write_tiny(path)
    whole.write_bytes(b"GGLA" + whole.read_bytes()[4:])
    return path


def write_empty(path: Path) -> Path:
    """No byte at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def _describe(writer: gguf.GGUFWriter, context: int) -> None:
    writer.add_name("Tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_vocabulary(writer: gguf.GGUFWriter, template: str | None) -> None:
    tokens = [*_byte_characters(), *SPECIAL]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["\u0120 \u0120"])  # the loader wants one; it joins to no token
    writer.add_bos_token_id(tokens.index("<|bos|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    if template is not None:
        writer.add_chat_template(template)


def _byte_characters() -> Iterator[str]:
    """GPT-2's spelling of the 256 bytes: printable ones as themselves, the others from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    for byte in range(256):
        yield chr(byte if byte in printable else next(spare))


def _tensors() -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.02, shape).astype(np.float32)

    vocabulary = 256 + len(SPECIAL)
    yield "token_embd.weight", weights(vocabulary, WIDTH)
    yield "output_norm.weight", np.ones(WIDTH, np.float32)
    output = weights(vocabulary, WIDTH)
    output[128:256] = 0  # bytes of ASCII alone: some servers refuse to say what is no UTF-8
    yield "output.weight", output
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32)
        for square in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{square}.weight", weights(WIDTH, WIDTH)
        for up in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{up}.weight", weights(HIDDEN, WIDTH)
        yield f"blk.{layer}.ffn_down.weight", weights(WIDTH, HIDDEN)
