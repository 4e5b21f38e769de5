"""Shapes with layers that keep a state, not a cache: Mamba, short convolutions, delta nets."""

from gguf import GGMLQuantizationType

from tests.support.headers import Blueprint


def lfm2(
    *, layers: int, width: int, forward: int, attention: tuple[int, ...], experts: int = 0
) -> Blueprint:
    """LFM2: short convolutions, and attention in a few layers; its MoE has two dense layers."""
    made = Blueprint(
        "lfm2moe" if experts else "lfm2", layers=layers, width=width, vocabulary=65_536, tied=True
    )
    made.add("token_embd_norm.weight", width)
    del made.tensors["output_norm.weight"]
    made.heads(32, [8 if layer in attention else 0 for layer in range(layers)], 64)
    made.set(feed_forward_length=forward)
    made.set("shortconv", l_cache=3)
    if experts:
        made.set(expert_count=experts, expert_used_count=4, expert_feed_forward_length=1_792)
        made.set(leading_dense_block_count=2, expert_gating_func=2)
    for layer in range(layers):
        at = f"blk.{layer}."
        if layer in attention:
            made.attention(layer, 32, 8, 64, norms=64)
        else:
            made.norms(layer, "attn_norm")
            made.add(f"{at}shortconv.conv.weight", 3, width, type=GGMLQuantizationType.F32)
            made.add(f"{at}shortconv.in_proj.weight", width, 3 * width)
            made.add(f"{at}shortconv.out_proj.weight", width, width)
        if experts and layer >= 2:
            made.experts(layer, experts, 1_792)
            made.add(f"{at}exp_probs_b.bias", experts)
        else:
            made.feed_forward(layer, forward)
    return made


def granite_hybrid() -> Blueprint:
    """Granite 4.0 H Tiny: Mamba-2 in 36 of 40 layers, experts in all."""
    layers, width, attention = 40, 1_536, (5, 15, 25, 35)
    made = Blueprint("granitehybrid", layers=layers, width=width, vocabulary=100_352, tied=True)
    made.heads(12, [4 if layer in attention else 0 for layer in range(layers)], 128)
    made.set(feed_forward_length=512, expert_count=64, expert_used_count=6)
    made.set(expert_shared_feed_forward_length=1_024)
    made.state_space(conv=4, inner=3_072, state=128, rank=48, groups=1)
    for layer in range(layers):
        if layer in attention:
            made.attention(layer, 12, 4, 128)
        else:
            made.mamba2(layer, conv=4, inner=3_072, state=128, heads=48, groups=1)
        made.experts(layer, 64, 512, shared=1_024)
    return made


def falcon_h1() -> Blueprint:
    """Falcon-H1 1.5B: attention and Mamba-2 side by side in every layer."""
    layers, width = 24, 2_048
    made = Blueprint("falcon-h1", layers=layers, width=width, vocabulary=65_537)
    made.heads(8, 2, 128)
    made.set(feed_forward_length=4_096)
    made.state_space(conv=4, inner=3_072, state=256, rank=48, groups=1)
    for layer in range(layers):
        made.mamba2(layer, conv=4, inner=3_072, state=256, heads=48, groups=1)
        made.attention(layer, 8, 2, 128)
        made.feed_forward(layer, 4_096)
        made.add(f"blk.{layer}.ffn_norm", *made.tensors.pop(f"blk.{layer}.ffn_norm.weight"))
    return made


def nemotron_h() -> Blueprint:
    """Nemotron Nano 9B v2: 27 Mamba-2 layers, 4 of attention, 25 of feed-forward alone."""
    pattern = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"
    layers, width, forward = len(pattern), 4_480, 15_680
    made = Blueprint("nemotron_h", layers=layers, width=width, vocabulary=131_072)
    made.heads(40, [8 if kind == "*" else 0 for kind in pattern], 128)
    made.set(feed_forward_length=[forward if kind == "-" else 0 for kind in pattern])
    made.state_space(conv=4, inner=10_240, state=128, rank=128, groups=8)
    for layer, kind in enumerate(pattern):
        if kind == "M":
            made.mamba2(layer, conv=4, inner=10_240, state=128, heads=128, groups=8)
        elif kind == "*":
            made.attention(layer, 40, 8, 128)
        else:
            made.norms(layer, "attn_norm")
            made.add(f"blk.{layer}.ffn_up.weight", width, forward)
            made.add(f"blk.{layer}.ffn_down.weight", forward, width)
    return made


def mamba() -> Blueprint:
    """Mamba 1.4B: no attention at all."""
    layers, width, inner, rank, state = 48, 2_048, 4_096, 128, 16
    made = Blueprint("mamba", layers=layers, width=width, vocabulary=50_280, tied=True)
    made.set("attention", head_count=0)
    made.state_space(conv=4, inner=inner, state=state, rank=rank)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.norms(layer, "attn_norm")
        made.add(f"{at}ssm_in.weight", width, 2 * inner)
        made.add(f"{at}ssm_conv1d.weight", 4, inner)
        made.add(f"{at}ssm_conv1d.bias", inner)
        made.add(f"{at}ssm_x.weight", inner, rank + 2 * state)
        made.add(f"{at}ssm_dt.weight", rank, inner, type=GGMLQuantizationType.F32)
        made.add(f"{at}ssm_dt.bias", inner)
        made.add(f"{at}ssm_a", state, inner)
        made.add(f"{at}ssm_d", inner)
        made.add(f"{at}ssm_out.weight", inner, width)
    return made


def qwen_hybrid(
    architecture: str,
    *,
    layers: int,
    width: int,
    vocabulary: int,
    heads: int,
    kv: int,
    forward: int = 0,
    experts: int = 0,
    used: int = 0,
    expert: int = 0,
    values: int = 32,
) -> Blueprint:
    """Qwen3-Next and Qwen3.5: three layers of gated delta net to one of gated attention."""
    keys, state, length = 16, 128, 256
    made = Blueprint(architecture, layers=layers, width=width, vocabulary=vocabulary)
    made.heads(heads, kv, length)
    made.set("rope", dimension_count=64, dimension_sections=[11, 11, 10, 0])
    made.set(full_attention_interval=4, feed_forward_length=forward)
    made.state_space(conv=4, inner=values * state, state=state, rank=values, groups=keys)
    if experts:
        made.set(expert_count=experts, expert_used_count=used, expert_feed_forward_length=expert)
        made.set(expert_shared_feed_forward_length=expert)
    for layer in range(layers):
        at = f"blk.{layer}."
        if layer % 4 == 3:
            made.attention(layer, heads, kv, length, norms=length)
            made.add(f"{at}attn_q.weight", width, 2 * heads * length)
        else:
            split = architecture.startswith("qwen35")
            made.delta_net(layer, keys=keys, values=values, state=state, split=split)
        if experts:
            made.experts(layer, experts, expert, shared=expert)
            made.add(f"{at}ffn_gate_inp_shexp.weight", width)
        else:
            made.feed_forward(layer, forward)
        made.norms(layer, "post_attention_norm")
        made.drop(layer, "ffn_norm")
    return made


def mamba2() -> Blueprint:
    """Mamba-2 2.7B."""
    made = Blueprint("mamba2", layers=64, width=2_560, vocabulary=50_288, tied=True)
    made.set("attention", head_count=0)
    made.state_space(conv=4, inner=5_120, state=128, rank=80, groups=1)
    for layer in range(64):
        made.mamba2(layer, conv=4, inner=5_120, state=128, heads=80, groups=1)
    return made


def nemotron_3_nano() -> Blueprint:
    """Nemotron 3 Nano 30B: Mamba-2, six layers of attention, and experts without a gate."""
    pattern = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
    width, expert = 2_688, 1_856
    made = Blueprint("nemotron_h_moe", layers=len(pattern), width=width, vocabulary=131_072)
    made.heads(32, [2 if kind == "*" else 0 for kind in pattern], 128)
    made.set(feed_forward_length=[expert if kind == "E" else 0 for kind in pattern])
    made.set(expert_count=128, expert_used_count=6, expert_feed_forward_length=expert)
    made.set(expert_shared_count=1, expert_shared_feed_forward_length=2 * expert)
    made.set(expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2)
    made.set(expert_group_count=1, expert_group_used_count=1)
    made.state_space(conv=4, inner=4_096, state=128, rank=64, groups=8)
    for layer, kind in enumerate(pattern):
        at = f"blk.{layer}."
        if kind == "M":
            made.mamba2(layer, conv=4, inner=4_096, state=128, heads=64, groups=8)
        elif kind == "*":
            made.attention(layer, 32, 2, 128)
        else:
            made.experts(layer, 128, expert, shared=2 * expert)
            made.drop(layer, "ffn_norm", "ffn_gate_exps", "ffn_gate_shexp")
            made.norms(layer, "attn_norm")
            made.add(f"{at}exp_probs_b.bias", 128)
    return made


def kimi_linear() -> Blueprint:
    """Kimi Linear 48B: three layers of Kimi's delta attention to one of latent attention."""
    layers, width, heads, length = 27, 2_304, 32, 128
    whole = [layer for layer in range(layers) if layer % 4 == 3 or layer == layers - 1]
    made = Blueprint("kimi-linear", layers=layers, width=width, vocabulary=163_840)
    made.set("attention", head_count=heads, kv_lora_rank=512, key_length=576, value_length=512)
    made.set("attention", head_count_kv=[int(layer in whole) for layer in range(layers)])
    made.set("attention", key_length_mla=192, value_length_mla=128)
    made.set("rope", dimension_count=64)
    made.set("ssm", conv_kernel=4)
    made.set("kda", head_dim=length)
    made.set(feed_forward_length=9_216, leading_dense_block_count=1)
    made.set(expert_count=256, expert_used_count=8, expert_feed_forward_length=1_024)
    made.set(expert_shared_count=1, expert_weights_scale=2.446, expert_weights_norm=True)
    made.set(expert_gating_func=2)
    for layer in range(layers):
        made.norms(layer, "attn_norm")
        if layer in whole:
            _latent(made, layer, heads)
        else:
            _kimi_delta(made, layer, heads, length)
        if layer == 0:
            made.feed_forward(layer, 9_216)
        else:
            made.experts(layer, 256, 1_024, shared=1_024)
            made.add(f"blk.{layer}.exp_probs_b.bias", 256)
    return made


def _latent(made: Blueprint, layer: int, heads: int) -> None:
    at = f"blk.{layer}."
    made.add(f"{at}attn_q.weight", made.width, heads * 192)
    made.add(f"{at}attn_kv_a_mqa.weight", made.width, 576)
    made.add(f"{at}attn_kv_a_norm.weight", 512)
    made.add(f"{at}attn_k_b.weight", 128, 512, heads)
    made.add(f"{at}attn_v_b.weight", 512, 128, heads)
    made.add(f"{at}attn_output.weight", heads * 128, made.width)


def _kimi_delta(made: Blueprint, layer: int, heads: int, length: int) -> None:
    at, inner = f"blk.{layer}.", heads * length
    for name in "qkv":
        made.add(f"{at}attn_{name}.weight", made.width, inner)
        made.add(f"{at}ssm_conv1d_{name}.weight", 4, 1, inner, 1, type=GGMLQuantizationType.F32)
    for name in "fg":
        made.add(f"{at}ssm_{name}_a.weight", made.width, length)
        made.add(f"{at}ssm_{name}_b.weight", length, inner)
    made.add(f"{at}ssm_beta.weight", made.width, heads)
    made.add(f"{at}ssm_a", 1, heads)
    made.add(f"{at}ssm_dt.bias", inner)
    made.add(f"{at}ssm_norm.weight", length)
    made.add(f"{at}attn_output.weight", inner, made.width)
