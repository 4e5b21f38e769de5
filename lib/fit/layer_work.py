"""What the engine's graph works with in one layer, by the layer's parts: elements per token.

What its graph allocator came to on the architectures in tests/bench/fit_accuracy.py: fitted rules,
checked there against the engine.
"""

from lib.fit.model_facts import Facts, Shapes, columns, rows


def working(facts: Facts, shapes: Shapes) -> int:
    """Elements per token that the layer's costliest step needs."""
    return max(
        _attention_working(facts, shapes),
        _recurrent_working(facts, shapes),
        _dense_working(facts, shapes),
        _expert_working(facts, shapes),
    )


def _attention_working(facts: Facts, shapes: Shapes) -> int:
    width = facts.width
    if "attn_k_b" in shapes:
        heads = facts.number("attention.head_count")
        if "indexer.attn_k" in shapes:
            latent = 2 * heads * facts.number("attention.kv_lora_rank")
            return latent + 5 * rows(shapes, "indexer.attn_q_b") + 5 * width
        absorbed = 2 * facts.number("attention.key_length")
        return heads * (absorbed + facts.number("attention.key_length_mla")) + 5 * width
    queries = rows(shapes, "attn_q")
    keys_and_values = rows(shapes, "attn_k") + rows(shapes, "attn_v")
    return 2 * queries + width + max(4 * width, 2 * keys_and_values)


def _recurrent_working(facts: Facts, shapes: Shapes) -> int:
    if "shortconv.conv" in shapes:
        return 9 * facts.width
    if "time_mix_w1" in shapes:
        return _rwkv_working(facts, shapes)
    if "ssm_conv1d" not in shapes:
        return 0
    mixed, projected = rows(shapes, "ssm_conv1d"), rows(shapes, "ssm_in")
    inner = columns(shapes, "ssm_out") if projected else 0
    return 5 * facts.width + 2 * mixed + projected + inner


def _rwkv_working(facts: Facts, shapes: Shapes) -> int:
    """Its two mixers, of time and of channels, of which those made of Qwen have the first alone."""
    width, forward = facts.width, rows(shapes, "channel_mix_key")
    if "time_mix_a1" not in shapes:  # RWKV 6
        return max(15 * width, forward + 8 * width)
    beside = 3 * columns(shapes, "ffn_down") + 10 * width
    return max(20 * width, 2 * forward + 2 * width, beside)


def _dense_working(facts: Facts, shapes: Shapes) -> int:
    forward = columns(shapes, "ffn_down")
    # Gate and what it lets through may stand in one matrix: then it is twice as long.
    has_gate = "ffn_gate" in shapes or rows(shapes, "ffn_up") != forward
    return 3 * forward + 5 * facts.width if has_gate else 2 * forward + facts.width


def _expert_working(facts: Facts, shapes: Shapes) -> int:
    forward, used = columns(shapes, "ffn_down_exps"), facts.number("expert_used_count")
    if not forward:
        return 0
    # Their results fit into what their inner steps leave free, unless they are twice as wide.
    results = used * facts.width if facts.width > 2 * forward else 0
    return 3 * used * forward + 5 * facts.width + results
