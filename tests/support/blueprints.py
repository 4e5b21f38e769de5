"""The shapes of well-known models, after their published configurations; types as in Q4_K_M.

What matters is that the file is a valid one of its architecture and of a realistic size.
"""

from collections.abc import Callable

from gguf import GGMLQuantizationType

from tests.support.headers import Blueprint


def dense(
    architecture: str = "llama",
    *,
    layers: int,
    width: int,
    forward: int,
    heads: int,
    kv: int,
    vocabulary: int,
    length: int = 128,
    tied: bool = False,
    norms: bool = False,
    bias: bool = False,
    window: int = 0,
    more_norms: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> Blueprint:
    """A plain transformer: Llama and most others."""
    made = Blueprint(architecture, layers=layers, width=width, vocabulary=vocabulary, tied=tied)
    made.heads(heads, kv, length)
    made.set(feed_forward_length=forward)
    if window:
        made.set("attention", sliding_window=window)
    for layer in range(layers):
        made.attention(layer, heads, kv, length, norms=length if norms else 0, bias=bias)
        made.feed_forward(layer, forward)
        made.norms(layer, *more_norms)
        made.drop(layer, *without)
    return made


def sparse(
    architecture: str,
    *,
    layers: int,
    width: int,
    heads: int,
    kv: int,
    vocabulary: int,
    experts: int,
    used: int,
    expert: int,
    length: int = 128,
    norms: bool = False,
) -> Blueprint:
    """A mixture of experts in every layer."""
    made = Blueprint(architecture, layers=layers, width=width, vocabulary=vocabulary)
    made.heads(heads, kv, length)
    made.set(expert_count=experts, expert_used_count=used, expert_feed_forward_length=expert)
    for layer in range(layers):
        made.attention(layer, heads, kv, length, norms=length if norms else 0)
        made.experts(layer, experts, expert)
    return made


def phi3_mini() -> Blueprint:
    """Phi-3.5-mini: one matrix for query, key and value, one for gate and up."""
    width, forward = 3_072, 8_192
    made = Blueprint("phi3", layers=32, width=width, vocabulary=32_064)
    made.heads(32, 32, 96)
    made.set(feed_forward_length=forward)
    made.set("attention", sliding_window=262_144)
    made.set("rope.scaling", original_context_length=4_096)
    for layer in range(32):
        at = f"blk.{layer}."
        made.norms(layer, "attn_norm", "ffn_norm")
        made.add(f"{at}attn_qkv.weight", width, 3 * width)
        made.add(f"{at}attn_output.weight", width, width)
        made.add(f"{at}ffn_up.weight", width, 2 * forward)
        made.add(f"{at}ffn_down.weight", forward, width)
    return made


def latent(
    *,
    layers: int,
    width: int,
    vocabulary: int,
    heads: int,
    query_rank: int,
    plain: int,
    value: int,
    forward: int,
    experts: int,
    used: int,
    expert: int,
    shared: int,
) -> Blueprint:
    """DeepSeek's multi-head latent attention: rank 512 and 64 rotated dimensions a token."""
    rank, rotated = 512, 64
    made = Blueprint("deepseek2", layers=layers, width=width, vocabulary=vocabulary)
    made.set("attention", head_count=heads, head_count_kv=1, kv_lora_rank=rank)
    made.set("attention", key_length=rank + rotated, value_length=rank)
    made.set("attention", key_length_mla=plain + rotated, value_length_mla=value)
    made.set("rope", dimension_count=rotated)
    made.set(feed_forward_length=forward, leading_dense_block_count=1)
    made.set(expert_count=experts, expert_used_count=used, expert_feed_forward_length=expert)
    made.set(expert_shared_count=shared, expert_weights_scale=1.0)
    if query_rank:
        made.set("attention", q_lora_rank=query_rank)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.norms(layer, "attn_norm")
        if query_rank:
            made.add(f"{at}attn_q_a.weight", width, query_rank)
            made.add(f"{at}attn_q_a_norm.weight", query_rank)
            made.add(f"{at}attn_q_b.weight", query_rank, heads * (plain + rotated))
        else:
            made.add(f"{at}attn_q.weight", width, heads * (plain + rotated))
        made.add(f"{at}attn_kv_a_mqa.weight", width, rank + rotated)
        made.add(f"{at}attn_kv_a_norm.weight", rank)
        made.add(f"{at}attn_k_b.weight", plain, rank, heads)
        made.add(f"{at}attn_v_b.weight", rank, value, heads)
        made.add(f"{at}attn_output.weight", heads * value, width)
        if layer == 0:
            made.feed_forward(layer, forward)
        else:
            made.experts(layer, experts, expert, shared=shared * expert)
    return made


def gpt_oss_20b() -> Blueprint:
    """Experts in MXFP4, biases everywhere, every second layer with a window of 128."""
    layers, width, experts, expert = 24, 2_880, 32, 2_880
    made = Blueprint("gpt-oss", layers=layers, width=width, vocabulary=201_088)
    made.heads(64, 8, 64)
    made.set("attention", sliding_window=128)
    made.set(expert_count=experts, expert_used_count=4, expert_feed_forward_length=expert)
    made.set("rope.scaling", original_context_length=4_096)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.attention(layer, 64, 8, 64, bias=True)
        made.add(f"{at}attn_output.bias", width)
        made.add(f"{at}attn_sinks.weight", 64)
        made.norms(layer, "post_attention_norm")
        made.add(f"{at}ffn_gate_inp.weight", width, experts)
        made.add(f"{at}ffn_gate_inp.bias", experts)
        for part, shape in (
            ("gate", (width, expert)),
            ("up", (width, expert)),
            ("down", (expert, width)),
        ):
            name = f"{at}ffn_{part}_exps"
            made.add(f"{name}.weight", *shape, experts, type=GGMLQuantizationType.MXFP4)
            made.add(f"{name}.bias", shape[1], experts, type=GGMLQuantizationType.F32)
    return made


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


def gemma3n(*, layers: int, forward: int, shared: int) -> Blueprint:
    """Gemma 3n: an embedding per layer, four streams, and `shared` layers that keep no cache."""
    width, per_layer, streams = 2_048, 256, 4
    made = Blueprint("gemma3n", layers=layers, width=width, vocabulary=262_400, tied=True)
    made.heads(8, 2, 256)
    made.set(feed_forward_length=forward, embedding_length_per_layer_input=per_layer)
    made.set("attention", sliding_window=512, shared_kv_layers=shared)
    made.set("altup", active_idx=0, num_inputs=streams)
    made.add("per_layer_token_embd.weight", per_layer * layers, 262_400)
    made.add("altup_proj.weight", width, width, streams - 1)
    made.add("altup_unembd_proj.weight", width, width, streams - 1)
    made.add("per_layer_model_proj.weight", width, per_layer * layers)
    made.add("per_layer_proj_norm.weight", per_layer)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.attention(layer, 8, 2, 256, norms=256)
        made.feed_forward(layer, forward)
        made.norms(layer, "post_attention_norm", "post_ffw_norm", "post_norm")
        made.norms(layer, "altup_correct_scale", "altup_router_norm", "laurel_post_norm")
        made.add(f"{at}inp_gate.weight", width, per_layer)
        made.add(f"{at}proj.weight", per_layer, width)
        made.add(f"{at}altup_correct_coef.weight", streams, streams)
        made.add(f"{at}altup_predict_coef.weight", streams, streams * streams)
        made.add(f"{at}altup_router.weight", width, streams)
        made.add(f"{at}laurel_l.weight", width, 64)
        made.add(f"{at}laurel_r.weight", 64, width)
    return made


def gemma4_26b() -> Blueprint:
    """Gemma 4 26B-A4B: key lengths and head counts differ between windowed and full layers."""
    layers, width = 30, 2_816
    windowed = [layer % 6 != 5 for layer in range(layers)]
    made = Blueprint("gemma4", layers=layers, width=width, vocabulary=262_144, tied=True)
    made.heads(16, [8 if slides else 2 for slides in windowed], 512)
    made.set("attention", key_length_swa=256, value_length_swa=256, sliding_window=1_024)
    made.set("attention", sliding_window_pattern=windowed, shared_kv_layers=0)
    made.set("rope", dimension_count_swa=256)
    made.set(feed_forward_length=2_112, embedding_length_per_layer_input=0)
    made.set(expert_count=128, expert_used_count=8, expert_feed_forward_length=704)
    made.add("rope_freqs.weight", 256)
    for layer, slides in enumerate(windowed):
        length = 256 if slides else 512
        made.attention(layer, 16, 8 if slides else 2, length, norms=length)
        made.feed_forward(layer, 2_112)
        made.experts(layer, 128, 704)
        made.norms(layer, "post_attention_norm", "post_ffw_norm")
        made.norms(layer, "pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2")
        made.add(f"blk.{layer}.ffn_gate_inp.scale", width)
    return made


def gemma4_e4b() -> Blueprint:
    """Gemma 4 E4B: dense, with an embedding per layer and 18 layers that keep no cache."""
    layers, width, forward, per_layer, vocabulary = 42, 2_560, 10_240, 256, 262_144
    windowed = [layer % 6 != 5 for layer in range(layers)]
    made = Blueprint("gemma4", layers=layers, width=width, vocabulary=vocabulary, tied=True)
    made.heads(8, 2, 512)
    made.set("attention", key_length_swa=256, value_length_swa=256, sliding_window=512)
    made.set("attention", sliding_window_pattern=windowed, shared_kv_layers=18)
    made.set("rope", dimension_count_swa=256)
    made.set(feed_forward_length=forward, embedding_length_per_layer_input=per_layer)
    made.add("rope_freqs.weight", 256)
    made.add("per_layer_token_embd.weight", per_layer * layers, vocabulary)
    made.add("per_layer_model_proj.weight", width, per_layer * layers)
    made.add("per_layer_proj_norm.weight", per_layer)
    for layer, slides in enumerate(windowed):
        at, length = f"blk.{layer}.", 256 if slides else 512
        made.attention(layer, 8, 2, length, norms=length)
        made.feed_forward(layer, forward)
        made.norms(layer, "post_attention_norm", "post_ffw_norm", "post_norm")
        made.add(f"{at}inp_gate.weight", width, per_layer)
        made.add(f"{at}proj.weight", per_layer, width)
    return made


def mamba2() -> Blueprint:
    """Mamba-2 2.7B."""
    made = Blueprint("mamba2", layers=64, width=2_560, vocabulary=50_288, tied=True)
    made.set("attention", head_count=0)
    made.state_space(conv=4, inner=5_120, state=128, rank=80, groups=1)
    for layer in range(64):
        made.mamba2(layer, conv=4, inner=5_120, state=128, heads=80, groups=1)
    return made


def cohere() -> Blueprint:
    """Command R7B: attention and feed-forward side by side behind one norm."""
    made = dense(
        "cohere2",
        layers=32,
        width=4_096,
        forward=14_336,
        heads=32,
        kv=8,
        vocabulary=256_000,
        tied=True,
        window=4_096,
        without=("ffn_norm",),
    )
    made.set(logit_scale=0.25)
    return made


def mixtral() -> Blueprint:
    """Mixtral 8x7B: experts in the Llama architecture."""
    made = sparse(
        "llama",
        layers=32,
        width=4_096,
        heads=32,
        kv=8,
        vocabulary=32_000,
        experts=8,
        used=2,
        expert=14_336,
    )
    made.set(feed_forward_length=14_336)
    return made


def olmo3() -> Blueprint:
    """Olmo 3 7B: norms after the attention, over all heads at once; three layers of four slide."""
    made = dense(
        "olmo2",
        layers=32,
        width=4_096,
        forward=11_008,
        heads=32,
        kv=32,
        vocabulary=100_278,
        window=4_096,
        more_norms=_GEMMA,
        without=("attn_norm", "ffn_norm"),
    )
    for layer in range(32):
        made.add(f"blk.{layer}.attn_q_norm.weight", 4_096)
        made.add(f"blk.{layer}.attn_k_norm.weight", 4_096)
    return made


def llama4_scout() -> Blueprint:
    """Llama 4 Scout: one expert of 16 and a shared one; three layers of four see 8,192 tokens."""
    made = sparse(
        "llama4",
        layers=48,
        width=5_120,
        heads=40,
        kv=8,
        vocabulary=202_048,
        experts=16,
        used=1,
        expert=8_192,
    )
    made.set(feed_forward_length=16_384, interleave_moe_layer_step=1)
    for layer in range(48):
        for part, shape in (
            ("gate", (5_120, 8_192)),
            ("up", (5_120, 8_192)),
            ("down", (8_192, 5_120)),
        ):
            made.add(f"blk.{layer}.ffn_{part}_shexp.weight", *shape)
    return made


def glm_air() -> Blueprint:
    """GLM 4.5 Air: one dense layer, 45 of experts, and one that only drafts."""
    layers, width, length = 47, 4_096, 128
    made = Blueprint("glm4moe", layers=layers, width=width, vocabulary=151_552)
    made.heads(96, 8, length)
    made.set(feed_forward_length=10_944, leading_dense_block_count=1, nextn_predict_layers=1)
    made.set(expert_count=128, expert_used_count=8, expert_feed_forward_length=1_408)
    made.set(expert_shared_count=1, expert_weights_norm=True, expert_weights_scale=1.0)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.attention(layer, 96, 8, length, bias=True)
        if layer:
            made.experts(layer, 128, 1_408, shared=1_408)
            made.add(f"{at}exp_probs_b.bias", 128)
        else:
            made.feed_forward(layer, 10_944)
        made.norms(layer, "post_attention_norm")
        made.drop(layer, "ffn_norm")
    made.add(f"{at}nextn.eh_proj.weight", 2 * width, width)
    made.norms(layers - 1, "nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")
    return made


def llama_pure() -> Blueprint:
    """Llama 3.2 1B all in Q4_0, the embedding that is its output matrix included."""
    made = MODELS["Llama-3.2-1B"]()
    matrices = [name for name, shape in made.tensors.items() if len(shape) > 1]
    made.types |= dict.fromkeys(matrices, GGMLQuantizationType.Q4_0)
    return made


_GEMMA = ("post_attention_norm", "post_ffw_norm")

MODELS: dict[str, Callable[[], Blueprint]] = {
    "Llama-3.2-1B": lambda: dense(
        layers=16,
        width=2_048,
        forward=8_192,
        heads=32,
        kv=8,
        length=64,
        vocabulary=128_256,
        tied=True,
    ),
    "Llama-3.2-1B-pure": llama_pure,
    "Llama-3.1-8B": lambda: dense(
        layers=32, width=4_096, forward=14_336, heads=32, kv=8, vocabulary=128_256
    ),
    "Mistral-Small-24B": lambda: dense(
        layers=40, width=5_120, forward=32_768, heads=32, kv=8, vocabulary=131_072
    ),
    "Ministral-3-8B": lambda: dense(
        "mistral3", layers=34, width=4_096, forward=14_336, heads=32, kv=8, vocabulary=131_072
    ),
    "Qwen2.5-7B": lambda: dense(
        "qwen2",
        layers=28,
        width=3_584,
        forward=18_944,
        heads=28,
        kv=4,
        vocabulary=152_064,
        bias=True,
    ),
    "Qwen3-8B": lambda: dense(
        "qwen3",
        layers=36,
        width=4_096,
        forward=12_288,
        heads=32,
        kv=8,
        vocabulary=151_936,
        norms=True,
    ),
    "Gemma-2-9B": lambda: dense(
        "gemma2",
        layers=42,
        width=3_584,
        forward=14_336,
        heads=16,
        kv=8,
        length=256,
        vocabulary=256_000,
        tied=True,
        window=4_096,
        more_norms=_GEMMA,
    ),
    "Gemma-3-270M": lambda: dense(
        "gemma3",
        layers=18,
        width=640,
        forward=2_048,
        heads=4,
        kv=1,
        length=256,
        vocabulary=262_144,
        tied=True,
        window=512,
        norms=True,
        more_norms=_GEMMA,
    ),
    "Gemma-3-12B": lambda: dense(
        "gemma3",
        layers=48,
        width=3_840,
        forward=15_360,
        heads=16,
        kv=8,
        length=256,
        vocabulary=262_208,
        tied=True,
        window=1_024,
        norms=True,
        more_norms=_GEMMA,
    ),
    "Phi-3.5-mini": phi3_mini,
    "Qwen3-30B-A3B": lambda: sparse(
        "qwen3moe",
        layers=48,
        width=2_048,
        heads=32,
        kv=4,
        vocabulary=151_936,
        experts=128,
        used=8,
        expert=768,
        norms=True,
    ),
    "DeepSeek-V2-Lite": lambda: latent(
        layers=27,
        width=2_048,
        vocabulary=102_400,
        heads=16,
        query_rank=0,
        plain=128,
        value=128,
        forward=10_944,
        experts=64,
        used=6,
        expert=1_408,
        shared=2,
    ),
    "GLM-4.7-Flash": lambda: latent(
        layers=47,
        width=2_048,
        vocabulary=154_880,
        heads=20,
        query_rank=768,
        plain=192,
        value=256,
        forward=10_240,
        experts=64,
        used=4,
        expert=1_536,
        shared=1,
    ),
    "gpt-oss-20b": gpt_oss_20b,
    "LFM2-1.2B": lambda: lfm2(
        layers=16, width=2_048, forward=8_192, attention=(2, 5, 8, 10, 12, 14)
    ),
    "LFM2-8B-A1B": lambda: lfm2(
        layers=24, width=2_048, forward=7_168, attention=(2, 6, 10, 14, 18, 21), experts=32
    ),
    "Granite-4.0-H-Tiny": granite_hybrid,
    "Falcon-H1-1.5B": falcon_h1,
    "Nemotron-Nano-9B": nemotron_h,
    "Mamba-1.4B": mamba,
    "Qwen3-Next-80B-A3B": lambda: qwen_hybrid(
        "qwen3next",
        layers=48,
        width=2_048,
        vocabulary=151_936,
        heads=16,
        kv=2,
        experts=512,
        used=10,
        expert=512,
    ),
    "Qwen3.5-9B": lambda: qwen_hybrid(
        "qwen35", layers=32, width=4_096, vocabulary=248_320, heads=16, kv=4, forward=12_288
    ),
    "Qwen3.6-35B-A3B": lambda: qwen_hybrid(
        "qwen35moe",
        layers=40,
        width=2_048,
        vocabulary=248_320,
        heads=16,
        kv=2,
        experts=256,
        used=8,
        expert=512,
    ),
    "Gemma-3n-E2B": lambda: gemma3n(layers=30, forward=8_192, shared=10),
    "Gemma-3n-E4B": lambda: gemma3n(layers=35, forward=16_384, shared=15),
    "Gemma-4-26B-A4B": gemma4_26b,
    "Gemma-4-E4B": gemma4_e4b,
    "Qwen3-0.6B": lambda: dense(
        "qwen3",
        layers=28,
        width=1_024,
        forward=3_072,
        heads=16,
        kv=8,
        vocabulary=151_936,
        norms=True,
        tied=True,
    ),
    "Qwen3.5-0.8B": lambda: qwen_hybrid(
        "qwen35",
        layers=24,
        width=1_024,
        vocabulary=248_320,
        heads=8,
        kv=2,
        forward=3_584,
        values=16,
    ),
    "Command-R7B": cohere,
    "EXAONE-4-32B": lambda: dense(
        "exaone4",
        layers=64,
        width=5_120,
        forward=27_392,
        heads=40,
        kv=8,
        vocabulary=102_400,
        window=4_096,
        norms=True,
        more_norms=_GEMMA,
        without=("attn_norm", "ffn_norm"),
    ),
    "Olmo-3-7B": olmo3,
    "Mixtral-8x7B": mixtral,
    "Llama-4-Scout": llama4_scout,
    "GLM-4.5-Air": glm_air,
    "Mamba-2-2.7B": mamba2,
}
