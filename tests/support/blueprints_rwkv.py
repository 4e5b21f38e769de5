"""RWKV's shapes: no attention, a state for each head; and those that were made of Qwen."""

from gguf import GGMLQuantizationType

from tests.support.headers import Blueprint

F32 = GGMLQuantizationType.F32
DECAY, RATE, VALUE, GATE = 96, 96, 64, 256  # ranks of RWKV 7's small matrices


def rwkv6() -> Blueprint:
    """RWKV 6 "Finch" 1.6B."""
    made = _made("rwkv6", layers=24, width=2_048, forward=7_168, vocabulary=65_536, head=64)
    made.set(time_mix_extra_dim=32, time_decay_extra_dim=64, rescale_every_n_layers=6)
    _norm(made, "token_embd_norm")
    made.add("output_norm.bias", made.width)
    for layer in range(made.layers):
        _mixer_6(made, layer, extra=32, decay=64, values=made.width)
        at = f"blk.{layer}."
        for name in ("attn_norm", "attn_norm_2", "time_mix_ln"):
            _norm(made, f"{at}{name}")
        made.add(f"{at}time_mix_first.weight", 64, made.width // 64, type=F32)
        _channels(made, layer, 7_168, lerps="kr")
        made.add(f"{at}channel_mix_receptance.weight", made.width, made.width)
    return made


def qrwkv6() -> Blueprint:
    """QRWKV6 32B: RWKV 6 in the place of Qwen2.5's attention."""
    made = _made("rwkv6qwen2", layers=64, width=5_120, forward=27_648, vocabulary=152_064, head=128)
    made.set(time_mix_extra_dim=64, time_decay_extra_dim=96, rescale_every_n_layers=0)
    made.set(token_shift_count=1)
    made.set("attention", head_count_kv=8)
    for layer in range(made.layers):
        made.norms(layer, "attn_norm")
        _mixer_6(made, layer, extra=64, decay=96, values=8 * 128)
        made.feed_forward(layer, 27_648)
    return made


def rwkv7() -> Blueprint:
    """RWKV 7 "Goose" 1.5B."""
    made = _made("rwkv7", layers=24, width=2_048, forward=8_192, vocabulary=65_536, head=64)
    _norm(made, "token_embd_norm")
    made.add("output_norm.bias", made.width)
    for layer in range(made.layers):
        for name in ("attn_norm", "attn_norm_2", "time_mix_ln"):
            _norm(made, f"blk.{layer}.{name}")
        _mixer_7(made, layer)
        _channels(made, layer, 8_192, lerps="k")
    return made


def arwkv7() -> Blueprint:
    """ARWKV 7B: RWKV 7 in the place of Qwen2.5's attention."""
    made = _made("arwkv7", layers=28, width=3_584, forward=18_944, vocabulary=152_064, head=64)
    made.set(token_shift_count=1)
    for layer in range(made.layers):
        made.norms(layer, "attn_norm")
        _mixer_7(made, layer)
        made.feed_forward(layer, 18_944)
    return made


def _made(
    architecture: str, *, layers: int, width: int, forward: int, vocabulary: int, head: int
) -> Blueprint:
    made = Blueprint(architecture, layers=layers, width=width, vocabulary=vocabulary)
    made.set(feed_forward_length=forward, token_shift_count=2)
    made.set("wkv", head_size=head)
    made.set("attention", head_count=0, decay_lora_rank=DECAY, iclr_lora_rank=RATE)
    made.set("attention", value_residual_mix_lora_rank=VALUE, gate_lora_rank=GATE)
    return made


def _norm(made: Blueprint, name: str) -> None:
    made.add(f"{name}.weight", made.width)
    made.add(f"{name}.bias", made.width)


def _mixer_6(made: Blueprint, layer: int, *, extra: int, decay: int, values: int) -> None:
    """Of time; keys and values may be fewer than queries."""
    at, width = f"blk.{layer}.time_mix_", made.width
    made.add(f"{at}w1.weight", width, 5 * extra)
    made.add(f"{at}w2.weight", extra, width, 5)
    made.add(f"{at}lerp_x.weight", width, 1, 1, type=F32)
    made.add(f"{at}lerp_fused.weight", width, 1, 1, 5, type=F32)
    made.add(f"{at}decay.weight", width, type=F32)
    made.add(f"{at}decay_w1.weight", width, decay)
    made.add(f"{at}decay_w2.weight", decay, width)
    for name in ("receptance", "gate", "output"):
        made.add(f"{at}{name}.weight", width, width)
    for name in ("key", "value"):
        made.add(f"{at}{name}.weight", width, values)


def _mixer_7(made: Blueprint, layer: int) -> None:
    """Of time, with its small matrices for decay, rate, value and gate."""
    at, width = f"blk.{layer}.time_mix_", made.width
    for name, rank in (("w", DECAY), ("a", RATE), ("v", VALUE if layer else RATE)):
        made.add(f"{at}{name}0.weight", width, type=F32)
        made.add(f"{at}{name}1.weight", width, rank)
        made.add(f"{at}{name}2.weight", rank, width)
    made.add(f"{at}g1.weight", width, GATE)
    made.add(f"{at}g2.weight", GATE, width)
    made.add(f"{at}lerp_fused.weight", width, 1, 1, 6, type=F32)
    for name in ("k_k", "k_a", "r_k"):
        made.add(f"{at}{name}.weight", width, type=F32)
    for name in ("key", "value", "receptance", "output"):
        made.add(f"{at}{name}.weight", width, width)


def _channels(made: Blueprint, layer: int, forward: int, lerps: str) -> None:
    """The mixer of channels."""
    at = f"blk.{layer}.channel_mix_"
    for name in lerps:
        made.add(f"{at}lerp_{name}.weight", made.width, 1, 1, type=F32)
    made.add(f"{at}key.weight", made.width, forward)
    made.add(f"{at}value.weight", forward, made.width)
