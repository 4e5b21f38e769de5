"""The layers that keep a state of one size instead of every token: which they are, and how large.

The shapes are those of vLLM 0.33's MambaStateShapeCalculator: what the convolution still needs, and
the state itself, in the model's 16 bits unless the architecture keeps it in 32.
"""

from lib.fit.model_config import ModelConfig

_RECURRENT = ("mamba", "linear_attention", "conv", "hybrid", "recurrent", "kda")
_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
_NO_ATTENTION = ("mamba", "mamba2", "falcon_mamba")
_ELEMENT_BYTES, _WIDE_BYTES = 2, 4


def has_state(config: ModelConfig, layer_type: str) -> bool:
    """Does a layer of this type of this model keep a state?"""
    return layer_type in _RECURRENT or config.model_type == "falcon_h1"


def layer_type(config: ModelConfig, index: int) -> str:
    """The type of a layer of a hybrid model that does not list them; "" for other models."""
    pattern = config.text("hybrid_override_pattern")
    if index < len(pattern):
        return _LETTERS.get(pattern[index], "mlp")
    if config.model_type in _NO_ATTENTION:
        return "mamba"
    if period := config.number("attn_layer_period"):
        return "attention" if index % period == config.number("attn_layer_offset") else "mamba"
    if config.number("linear_num_value_heads"):
        interval = config.number("full_attention_interval", default=4)
        return "linear_attention" if (index + 1) % max(interval, 1) else "full_attention"
    if config.list("full_attn_idxs"):
        return "full_attention" if index in config.list("full_attn_idxs") else "conv"
    if listed := config.part("linear_attn_config").list("full_attn_layers"):
        return "full_attention" if index + 1 in listed else "kda"  # they count from one
    return ""


def state_bytes(config: ModelConfig) -> int:
    """What one recurrent layer keeps for a conversation."""
    for read in (_short_convolution, _delta_net, _kimi_delta, _mamba_2, _mamba_1):
        if found := read(config):
            return found
    return 0


def states(config: ModelConfig) -> int:
    """How many of them a conversation holds: two, and for Mamba 2 one more inside a long prompt."""
    is_mamba_2 = not (_short_convolution(config) or _delta_net(config) or _kimi_delta(config))
    return 3 if is_mamba_2 and _mamba_2(config) else 2


def _short_convolution(config: ModelConfig) -> int:
    """LFM2's: the convolution alone."""
    rows = max(config.number("conv_L_cache") - 1, 0)
    return rows * config.number("conv_dim", default=config.hidden) * _ELEMENT_BYTES


def _delta_net(config: ModelConfig) -> int:
    """Gated delta nets: Qwen3-Next, Qwen3.5, OLMo hybrids."""
    values, keys = config.number("linear_num_value_heads"), config.number("linear_num_key_heads")
    key, value = config.number("linear_key_head_dim"), config.number("linear_value_head_dim")
    convolved = 2 * keys * key + values * value
    rows = max(config.number("linear_conv_kernel_dim", default=4) - 1, 0)
    wide = _WIDE_BYTES if config.text("mamba_ssm_dtype") == "float32" else _ELEMENT_BYTES
    return rows * convolved * _ELEMENT_BYTES + values * value * key * wide


def _kimi_delta(config: ModelConfig) -> int:
    """Kimi Linear: its recurrent part is always 32 bits wide."""
    inner = config.part("linear_attn_config")
    heads, size = inner.number("num_heads"), inner.number("head_dim")
    rows = max(inner.number("short_conv_kernel_size", default=4) - 1, 0)
    return 3 * heads * size * rows * _ELEMENT_BYTES + heads * size * size * _WIDE_BYTES


def _mamba_2(config: ModelConfig) -> int:
    """Nemotron-H, Falcon-H1, Granite 4, Zamba 2, Mamba 2."""
    heads = config.number("mamba_num_heads", "mamba_n_heads", "n_mamba_heads", "num_heads")
    if not heads:
        return 0
    expanded = config.number("mamba_expand", "expand", default=2) * config.hidden
    size = config.number("mamba_head_dim", "mamba_d_head", "mamba_headdim", "head_dim")
    size = size or expanded // heads
    inner = config.number("mamba_d_ssm", default=heads * size)
    groups = config.number("n_groups", "mamba_n_groups", "mamba_ngroups", default=1)
    state = config.number("ssm_state_size", "mamba_d_state", "state_size")
    rows = max(config.number("conv_kernel", "mamba_d_conv", default=4) - 1, 0)
    convolution = rows * (inner + 2 * groups * state) * _ELEMENT_BYTES
    return convolution + heads * size * state * _mamba_width(config)


def _mamba_width(config: ModelConfig) -> int:
    """Bytes of an element of the state; Nemotron-H keeps it in 32 bits where it does not say."""
    is_wide = config.model_type.startswith("nemotron_h")
    told = config.text("mamba_ssm_cache_dtype") or ("float32" if is_wide else "")
    return _WIDE_BYTES if told == "float32" else _ELEMENT_BYTES


def _mamba_1(config: ModelConfig) -> int:
    """Jamba, Mamba, Falcon Mamba."""
    inner = config.number("mamba_expand", "expand", default=2) * config.hidden
    if config.model_type in _NO_ATTENTION:
        inner = config.number("intermediate_size", default=inner)
    state = config.number("mamba_d_state", "state_size", default=16)
    rows = max(config.number("mamba_d_conv", "conv_kernel", default=4) - 1, 0)
    return inner * (rows + state) * _ELEMENT_BYTES
