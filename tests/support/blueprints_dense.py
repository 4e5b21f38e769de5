"""Shapes of transformers whose layers are dense: attention and one feed-forward."""

from tests.support.headers import Blueprint

GEMMA_NORMS = ("post_attention_norm", "post_ffw_norm")


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
        more_norms=GEMMA_NORMS,
        without=("attn_norm", "ffn_norm"),
    )
    for layer in range(32):
        made.add(f"blk.{layer}.attn_q_norm.weight", 4_096)
        made.add(f"blk.{layer}.attn_k_norm.weight", 4_096)
    return made
