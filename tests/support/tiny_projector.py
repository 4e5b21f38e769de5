"""A projector of 16,000 random weights that lets the model of tiny_gguf see, and images for it."""

import base64
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_gguf import WIDTH as TEXT_WIDTH

WIDTH, HIDDEN, LAYERS, HEADS, IMAGE, PATCH = 32, 64, 2, 2, 28, 14
IMAGE_TOKENS = (IMAGE // PATCH) ** 2


def write_projector(path: Path, *, text_width: int = TEXT_WIDTH, sees: bool = True) -> Path:
    """Write a LLaVA projector for a model of this width; one that hears where it does not see."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool(f"clip.has_{'vision' if sees else 'audio'}_encoder", True)
    _describe(writer, text_width)
    for name, values in _tensors(text_width):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def png(width: int = 40, height: int = 30, colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A PNG of one colour."""
    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def data_uri(image: bytes, kind: str = "png") -> str:
    """The image as a message carries it."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _describe(writer: gguf.GGUFWriter, text_width: int) -> None:
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    numbers = {
        "image_size": IMAGE,
        "patch_size": PATCH,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "block_count": LAYERS,
        "projection_dim": text_width,
        "attention.head_count": HEADS,
    }
    for name, number in numbers.items():
        writer.add_uint32(f"clip.vision.{name}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)


def _tensors(text_width: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.5, shape).astype(np.float32)

    yield "v.patch_embd.weight", weights(WIDTH, 3, PATCH, PATCH)
    yield "v.position_embd.weight", weights(IMAGE_TOKENS, WIDTH)
    yield "mm.0.weight", weights(text_width, WIDTH)
    yield "mm.0.bias", weights(text_width)
    yield "mm.2.weight", weights(text_width, text_width)
    yield "mm.2.bias", weights(text_width)
    for layer in range(LAYERS):
        for square in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield f"v.blk.{layer}.{square}.weight", weights(WIDTH, WIDTH)
        yield f"v.blk.{layer}.ffn_up.weight", weights(HIDDEN, WIDTH)
        yield f"v.blk.{layer}.ffn_down.weight", weights(WIDTH, HIDDEN)
        for norm in ("ln1", "ln2"):
            yield f"v.blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32)
            yield f"v.blk.{layer}.{norm}.bias", np.zeros(WIDTH, np.float32)
