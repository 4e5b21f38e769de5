"""Shapes of mixtures of experts: DeepSeek, gpt-oss, Gemma 4, Mixtral, Llama 4, GLM."""

from gguf import GGMLQuantizationType

from tests.support.headers import Blueprint


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


def deepseek_v32() -> Blueprint:
    """DeepSeek V3.2: an index with a small key of its own picks 2,048 tokens to look at."""
    width, query_rank, heads, length = 7_168, 1_536, 64, 128
    made = latent(
        layers=61,
        width=width,
        vocabulary=129_280,
        heads=128,
        query_rank=query_rank,
        plain=128,
        value=128,
        forward=18_432,
        experts=256,
        used=8,
        expert=2_048,
        shared=1,
    )
    made.architecture = "deepseek32"
    made.set("attention.indexer", head_count=heads, key_length=length, top_k=2_048)
    made.set(expert_group_count=8, expert_group_used_count=4, expert_gating_func=2)
    made.set(expert_weights_norm=True)
    for layer in range(made.layers):
        at = f"blk.{layer}.indexer."
        made.add(f"{at}k_norm.weight", length)
        made.add(f"{at}k_norm.bias", length)
        made.add(f"{at}proj.weight", width, heads)
        made.add(f"{at}attn_k.weight", width, length)
        made.add(f"{at}attn_q_b.weight", query_rank, heads * length)
        if layer:
            made.add(f"blk.{layer}.exp_probs_b.bias", 256)
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
