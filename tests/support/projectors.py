"""Projectors with the shapes of real ones and few layers, and holes in the place of weights."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np
from gguf import GGMLQuantizationType

F16, F32 = GGMLQuantizationType.F16, GGMLQuantizationType.F32
TEXT_WIDTH = 1_024
LAYERS = 4
Shapes = dict[str, tuple[int, ...]]
Values = dict[str, int | bool | list[bool]]


class Projector(NamedTuple):
    """Its type, what its header says, and its tensors; `text_width` is the model's beside it."""

    kind: str
    values: Values
    tensors: Shapes
    text_width: int = TEXT_WIDTH


def write(path: Path, made: Projector) -> Path:
    """The file."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("clip.projector_type", made.kind)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    for name in ("mean", "std"):
        writer.add_array(f"clip.vision.image_{name}", [0.5] * 3)
    for name, value in made.values.items():
        key = f"clip.{name}"
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_array(key, value)
    total = 0
    for name, shape in made.tensors.items():
        kind = F16 if len(shape) == 2 and "position" not in name else F32
        size = int(np.prod(shape)) * (2 if kind == F16 else 4)
        total += -(-size // 32) * 32
        writer.add_tensor_info(name, list(reversed(shape)), np.dtype("float32"), size, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        start = -(-file.seek(0, 2) // 32) * 32
        file.truncate(start + total)
    return path


def gemma3() -> Projector:
    """SigLIP 400M, 896 pixels: 4,096 patches become 256 tokens."""
    tensors = _tower(1_152, 4_304, 14, positions=64**2)
    tensors |= _norm("v.post_ln", 1_152)
    tensors["mm.input_projection.weight"] = (TEXT_WIDTH, 1_152)
    tensors["mm.soft_emb_norm.weight"] = (1_152,)
    return Projector("gemma3", _values(896, 14, 1_152, 4_304, gelu=True), tensors)


def llava() -> Projector:
    """CLIP large, 336 pixels, and two matrices as wide as the model."""
    width, text = 1_024, 4_096
    tensors = _tower(width, 4_096, 14, positions=24**2 + 1, patch_bias=False)
    tensors |= {"v.class_embd": (width,), **_norm("v.pre_ln", width)}
    tensors |= _matrix("mm.0", width, text) | _matrix("mm.2", text, text)
    return Projector("mlp", _values(336, 14, width, 4_096, text=text, gelu=True), tensors, text)


def internvl() -> Projector:
    """448 pixels a tile, four of which are worked on at once."""
    width = 1_024
    tensors = _tower(width, 4_096, 14, positions=32**2 + 1)
    tensors |= {"v.class_embd": (width,), **_norm("mm.model.mlp.0", 4 * width)}
    tensors |= _matrix("mm.model.mlp.1", 4 * width, TEXT_WIDTH)
    tensors |= _matrix("mm.model.mlp.3", TEXT_WIDTH, TEXT_WIDTH)
    for layer in range(LAYERS):
        tensors |= {f"v.blk.{layer}.ls{number}.weight": (width,) for number in (1, 2)}
    values = _values(448, 14, width, 4_096, gelu=True)
    return Projector("internvl", values | {"vision.projector.scale_factor": 2}, tensors)


def qwen2_vl() -> Projector:
    """Any size; four patches become one token."""
    width = 1_280
    tensors = _tower(width, 5_120, 14, patches=2, patch_bias=False) | _norm("v.post_ln", width)
    tensors |= _merger(width)
    return Projector("qwen2vl_merger", _values(560, 14, width, 5_120, gelu=True), tensors)


def qwen2_5_vl() -> Projector:
    """Any size, with windows, and a gate in the feed-forward step."""
    width = 1_280
    tensors = _tower(width, 3_420, 14, patches=2, patch_bias=False, gate=True)
    tensors |= {"v.post_ln.weight": (width,), **_merger(width)}
    for layer in range(LAYERS):
        for number in (1, 2):
            del tensors[f"v.blk.{layer}.ln{number}.bias"]
    values = _values(560, 14, width, 3_420) | {"use_silu": True}
    values |= {"vision.n_wa_pattern": LAYERS, "vision.window_size": 112}
    return Projector("qwen2.5vl_merger", values, tensors)


def qwen3_vl() -> Projector:
    """Any size; three layers hand on what they saw, too."""
    width, wide = 1_152, 4 * 1_152
    tensors = _tower(width, 4_304, 16, positions=48**2, patches=2, fused=True)
    tensors |= _norm("v.post_ln", width) | _merger(width)
    for layer in range(1, LAYERS):
        at = f"v.deepstack.{layer}."
        tensors |= _norm(f"{at}norm", wide) | _matrix(f"{at}fc1", wide, wide)
        tensors |= _matrix(f"{at}fc2", wide, TEXT_WIDTH)
    values = _values(768, 16, width, 4_304, gelu=True) | {"vision.spatial_merge_size": 2}
    values["vision.is_deepstack_layers"] = [False, True, True, True]
    return Projector("qwen3vl_merger", values, tensors, LAYERS * TEXT_WIDTH)


def pixtral() -> Projector:
    """Any size up to a limit of its own; a gate, and no biases."""
    width = 1_024
    tensors = _tower(width, 4_096, 14, patch_bias=False, gate=True, biases=False)
    tensors |= {"v.pre_ln.weight": (width,), "mm.input_norm.weight": (width,)}
    tensors |= _matrix("mm.1", width, TEXT_WIDTH) | _matrix("mm.2", TEXT_WIDTH, TEXT_WIDTH)
    tensors |= {"mm.patch_merger.weight": (4 * width, width)}
    tensors |= {"v.token_embd.img_break": (TEXT_WIDTH,)}
    values = _values(1_540, 14, width, 4_096) | {"use_silu": True}
    return Projector("pixtral", values | {"vision.spatial_merge_size": 2}, tensors)


def kimi_vl() -> Projector:
    """Any size up to a limit of its own; positions are stretched to it."""
    width = 1_152
    tensors = _tower(width, 4_304, 14, positions=64**2) | _norm("v.post_ln", width)
    tensors |= _norm("mm.input_norm", width) | _matrix("mm.1", 4 * width, 4 * width)
    tensors |= _matrix("mm.2", 4 * width, TEXT_WIDTH)
    values = _values(896, 14, width, 4_304, gelu=True)
    return Projector("kimivl", values | {"vision.projector.scale_factor": 2}, tensors)


PROJECTORS: dict[str, Callable[[], Projector]] = {
    made.__name__: made
    for made in (gemma3, llava, internvl, qwen2_vl, qwen2_5_vl, qwen3_vl, pixtral, kimi_vl)
}


def _values(
    image: int, patch: int, width: int, forward: int, *, text: int = TEXT_WIDTH, gelu: bool = False
) -> Values:
    numbers = {
        "image_size": image,
        "patch_size": patch,
        "embedding_length": width,
        "feed_forward_length": forward,
        "block_count": LAYERS,
        "projection_dim": text,
        "attention.head_count": 16,
    }
    values: Values = {f"vision.{name}": number for name, number in numbers.items()}
    return values | {"use_gelu": True} if gelu else values


def _matrix(name: str, takes: int, makes: int) -> Shapes:
    return {f"{name}.weight": (takes, makes), f"{name}.bias": (makes,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _merger(width: int) -> Shapes:
    return _matrix("mm.0", 4 * width, 4 * width) | _matrix("mm.2", 4 * width, TEXT_WIDTH)


def _tower(
    width: int,
    forward: int,
    patch: int,
    *,
    positions: int = 0,
    patches: int = 1,
    patch_bias: bool = True,
    gate: bool = False,
    biases: bool = True,
    fused: bool = False,
) -> Shapes:
    """The layers, and what makes patches of pixels."""
    tensors: Shapes = {"v.patch_embd.weight": (patch, patch, 3, width)}
    if patches > 1:
        tensors["v.patch_embd.weight.1"] = (patch, patch, 3, width)
    if patch_bias:
        tensors["v.patch_embd.bias"] = (width,)
    if positions:
        tensors["v.position_embd.weight"] = (width, positions)
    for layer in range(LAYERS):
        found = _layer(width, forward, gate=gate, fused=fused)
        kept = {name: shape for name, shape in found.items() if biases or "bias" not in name}
        tensors |= {f"v.blk.{layer}.{name}": shape for name, shape in kept.items()}
    return tensors


def _layer(width: int, forward: int, *, gate: bool, fused: bool) -> Shapes:
    made = _norm("ln1", width) | _norm("ln2", width) | _matrix("attn_out", width, width)
    if fused:
        made |= _matrix("attn_qkv", width, 3 * width)
    else:
        for name in "qkv":
            made |= _matrix(f"attn_{name}", width, width)
    if gate:
        made |= _matrix("ffn_gate", width, forward)
    return made | _matrix("ffn_up", width, forward) | _matrix("ffn_down", forward, width)
