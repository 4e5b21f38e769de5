"""GGUF files with the shapes of real models and no weights: holes on the disk, a few KB each.

The engine reads such a file like a real one, so it says what the model would need.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter

Number = int | float | bool


class Blueprint:
    """What a model's header says: values by their name without the architecture, and tensors."""

    def __init__(
        self, architecture: str, *, layers: int, width: int, vocabulary: int, tied: bool = False
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.layers = layers
        self.values: dict[str, Number | list[int] | list[bool]] = {}
        self.tensors: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, GGMLQuantizationType] = {}
        self.set(block_count=layers, embedding_length=width, vocab_size=vocabulary)
        self.set(context_length=131_072, feed_forward_length=0)
        self.set("attention", layer_norm_rms_epsilon=1e-5, layer_norm_epsilon=1e-5)
        self.add("token_embd.weight", width, vocabulary, is_output=tied)
        self.add("output_norm.weight", width)
        if not tied:
            self.add("output.weight", width, vocabulary)

    def set(self, group: str = "", **values: Number | list[int] | list[bool]) -> None:
        """Metadata values, `group.name` each."""
        self.values |= {f"{group}.{name}" if group else name: v for name, v in values.items()}

    def add(
        self,
        name: str,
        *shape: int,
        type: GGMLQuantizationType | None = None,
        is_output: bool = False,
    ) -> None:
        """One tensor."""
        self.tensors[name] = shape
        self.types[name] = type or _type("output" if is_output else name, shape)

    def drop(self, layer: int, *names: str) -> None:
        """Leave out matrices that this architecture does not have."""
        for name in names:
            del self.tensors[f"blk.{layer}.{name}.weight"]

    def heads(self, count: int, kv: int | list[int], length: int) -> None:
        """The attention's figures."""
        self.set("attention", head_count=count, head_count_kv=kv)
        self.set("attention", key_length=length, value_length=length)
        self.set("rope", dimension_count=length)

    def attention(
        self, layer: int, heads: int, kv: int, length: int, *, norms: int = 0, bias: bool = False
    ) -> None:
        """Separate query, key, value and output matrices; `norms` is their length, if any."""
        at = f"blk.{layer}."
        self.add(f"{at}attn_norm.weight", self.width)
        self.add(f"{at}attn_q.weight", self.width, heads * length)
        self.add(f"{at}attn_k.weight", self.width, kv * length)
        self.add(f"{at}attn_v.weight", self.width, kv * length)
        self.add(f"{at}attn_output.weight", heads * length, self.width)
        if norms:
            self.add(f"{at}attn_q_norm.weight", norms)
            self.add(f"{at}attn_k_norm.weight", norms)
        if bias:
            for part, count in (("q", heads), ("k", kv), ("v", kv)):
                self.add(f"{at}attn_{part}.bias", count * length)

    def feed_forward(self, layer: int, length: int, *, gated: bool = True) -> None:
        """The dense part of a layer."""
        at = f"blk.{layer}."
        self.add(f"{at}ffn_norm.weight", self.width)
        if gated:
            self.add(f"{at}ffn_gate.weight", self.width, length)
        self.add(f"{at}ffn_up.weight", self.width, length)
        self.add(f"{at}ffn_down.weight", length, self.width)

    def experts(self, layer: int, count: int, length: int, *, shared: int = 0) -> None:
        """The mixture-of-experts part of a layer; `shared` is the length of the shared expert."""
        at = f"blk.{layer}."
        self.add(f"{at}ffn_norm.weight", self.width)
        self.add(f"{at}ffn_gate_inp.weight", self.width, count)
        self.add(f"{at}ffn_gate_exps.weight", self.width, length, count)
        self.add(f"{at}ffn_up_exps.weight", self.width, length, count)
        self.add(f"{at}ffn_down_exps.weight", length, self.width, count)
        if shared:
            self.add(f"{at}ffn_gate_shexp.weight", self.width, shared)
            self.add(f"{at}ffn_up_shexp.weight", self.width, shared)
            self.add(f"{at}ffn_down_shexp.weight", shared, self.width)

    def norms(self, layer: int, *names: str) -> None:
        """Further normalisations of a layer."""
        for name in names:
            self.add(f"blk.{layer}.{name}.weight", self.width)

    def state_space(self, *, conv: int, inner: int, state: int, rank: int, groups: int = 0) -> None:
        """The figures of Mamba-like layers."""
        self.set("ssm", conv_kernel=conv, inner_size=inner, state_size=state, time_step_rank=rank)
        if groups:
            self.set("ssm", group_count=groups)

    def mamba2(
        self, layer: int, *, conv: int, inner: int, state: int, heads: int, groups: int
    ) -> None:
        """One Mamba-2 mixer."""
        at, mixed = f"blk.{layer}.", inner + 2 * groups * state
        self.add(f"{at}attn_norm.weight", self.width)
        self.add(f"{at}ssm_in.weight", self.width, inner + mixed + heads)
        self.add(f"{at}ssm_conv1d.weight", conv, mixed)
        self.add(f"{at}ssm_conv1d.bias", mixed)
        self.add(f"{at}ssm_dt.bias", heads)
        self.add(f"{at}ssm_a", 1, heads)
        self.add(f"{at}ssm_d", 1, heads)
        self.add(f"{at}ssm_norm.weight", inner // groups, groups)
        self.add(f"{at}ssm_out.weight", inner, self.width)

    def delta_net(self, layer: int, *, keys: int, values: int, state: int, split: bool) -> None:
        """One gated delta-net mixer, as Qwen3-Next (`split=False`) and Qwen3.5 store it."""
        at, mixed = f"blk.{layer}.", (2 * keys + values) * state
        self.add(f"{at}attn_norm.weight", self.width)
        self.add(f"{at}attn_qkv.weight", self.width, mixed)
        self.add(f"{at}attn_gate.weight", self.width, values * state)
        self.add(f"{at}ssm_conv1d.weight", 4, mixed)
        self.add(f"{at}ssm_dt.bias", values)
        self.add(f"{at}ssm_a", values)
        if split:
            self.add(f"{at}ssm_beta.weight", self.width, values)
            self.add(f"{at}ssm_alpha.weight", self.width, values)
        else:
            self.add(f"{at}ssm_ba.weight", self.width, 2 * values)
        self.add(f"{at}ssm_norm.weight", state)
        self.add(f"{at}ssm_out.weight", values * state, self.width)


def write(
    path: Path, blueprint: Blueprint, words: Sequence[str] = (), merges: Sequence[str] = ()
) -> Path:
    """The file: a real header, then a hole as long as the weights would be.

    With `words` it has a vocabulary of them.
    """
    writer = GGUFWriter(path, blueprint.architecture)
    writer.add_file_type(15)
    for name, value in blueprint.values.items():
        _add_value(writer, f"{blueprint.architecture}.{name}", value)
    if words:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(words)
        writer.add_token_types([1] * len(words))
        writer.add_token_merges(merges)
    else:
        writer.add_string("tokenizer.ggml.model", "no_vocab")
    for name, shape in blueprint.tensors.items():
        kind = blueprint.types[name]
        size = _bytes(shape, kind)
        writer.add_tensor_info(name, list(reversed(shape)), np.dtype("float32"), size, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    sizes = (_bytes(shape, blueprint.types[name]) for name, shape in blueprint.tensors.items())
    with path.open("r+b") as file:
        start = _aligned(file.seek(0, 2))
        file.truncate(start + sum(_aligned(size) for size in sizes))
    return path


def _add_value(writer: GGUFWriter, key: str, value: Number | list[int] | list[bool]) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_array(key, value)


def _aligned(size: int) -> int:
    return -(-size // 32) * 32


def _bytes(shape: Iterable[int], kind: GGMLQuantizationType) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return int(np.prod(list(shape), dtype=np.int64)) // block * block_bytes


def _type(name: str, shape: tuple[int, ...]) -> GGMLQuantizationType:
    """What llama-quantize makes of a tensor for Q4_K_M, short of the choice between layers."""
    kind = GGMLQuantizationType
    if len(shape) == 1 or any(
        part in name for part in ("ssm_conv", "_inp.", "_norm", "ssm_a", "ssm_d")
    ):
        return kind.F32
    wants_more = name.startswith("output") or "attn_v" in name or "ffn_down" in name
    if shape[0] % 256 == 0:
        return kind.Q6_K if wants_more else kind.Q4_K
    if shape[0] % 32 == 0:
        return kind.Q8_0 if wants_more else kind.Q5_0
    return kind.F16
