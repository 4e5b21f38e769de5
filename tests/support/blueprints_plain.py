"""Shapes whose feed-forward step has no gate, most of them older ones."""

from tests.support.headers import Blueprint


def starcoder2() -> Blueprint:
    """StarCoder2 7B."""
    return _plain(
        "starcoder2", layers=32, width=4_608, forward=18_432, heads=36, kv=4, words=49_152
    )


def nemotron_4() -> Blueprint:
    """Nemotron 4 15B."""
    return _plain("nemotron", layers=32, width=6_144, forward=24_576, heads=48, kv=8, words=256_000)


def gpt_neox() -> Blueprint:
    """GPT-NeoX 20B: queries, keys and values in one matrix."""
    layers, width, forward = 44, 6_144, 24_576
    made = Blueprint("gptneox", layers=layers, width=width, vocabulary=50_432)
    made.heads(64, 64, 96)
    made.set(feed_forward_length=forward, use_parallel_residual=True)
    made.add("output_norm.bias", width)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.norms(layer, "attn_norm")
        made.add(f"{at}attn_qkv.weight", width, 3 * width)
        made.add(f"{at}attn_qkv.bias", 3 * width)
        made.add(f"{at}attn_output.weight", width, width)
        made.feed_forward(layer, forward, gated=False)
        _biases(made, layer, forward)
    return made


def falcon_40b() -> Blueprint:
    """Falcon 40B: attention and feed-forward side by side, each after its own norm, no biases."""
    layers, width, heads, kv = 60, 8_192, 128, 8
    made = Blueprint("falcon", layers=layers, width=width, vocabulary=65_024)
    made.heads(heads, kv, 64)
    made.set(feed_forward_length=4 * width)
    made.add("output_norm.bias", width)
    for layer in range(layers):
        at = f"blk.{layer}."
        made.norms(layer, "attn_norm", "attn_norm_2")
        for name in ("attn_norm", "attn_norm_2"):
            made.add(f"{at}{name}.bias", width)
        made.add(f"{at}attn_qkv.weight", width, (heads + 2 * kv) * 64)
        made.add(f"{at}attn_output.weight", width, width)
        made.feed_forward(layer, 4 * width, gated=False)
        made.drop(layer, "ffn_norm")
    return made


def _plain(
    architecture: str, *, layers: int, width: int, forward: int, heads: int, kv: int, words: int
) -> Blueprint:
    made = Blueprint(architecture, layers=layers, width=width, vocabulary=words)
    made.heads(heads, kv, width // heads)
    made.set(feed_forward_length=forward)
    made.add("output_norm.bias", width)
    for layer in range(layers):
        made.attention(layer, heads, kv, width // heads, bias=True)
        made.feed_forward(layer, forward, gated=False)
        _biases(made, layer, forward)
    return made


def _biases(made: Blueprint, layer: int, forward: int) -> None:
    at = f"blk.{layer}."
    for name in ("attn_norm", "attn_output", "ffn_norm", "ffn_down"):
        made.add(f"{at}{name}.bias", made.width)
    made.add(f"{at}ffn_up.bias", forward)
