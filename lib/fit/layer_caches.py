"""What each layer of a model keeps for a conversation, as vLLM 0.33 lays its cache out.

Full layers keep every token's keys and values, latent ones one compressed vector, windows and
chunks only the nearest tokens, recurrent layers a state that does not grow, and some nothing: they
read another layer's cache. Told from config.json by the rules of transformers' configuration
classes and of vLLM's model files.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil

from lib.core.values import Frozen
from lib.fit import recurrent
from lib.fit.model_config import ModelConfig


class Kind(StrEnum):
    """How far back a layer looks."""

    FULL = "full"
    LATENT = "latent"  # multi-head latent attention: one vector for all heads
    WINDOW = "window"
    CHUNK = "chunk"
    STATE = "state"


class LayerCache(Frozen):
    """Layers that keep the same: how many, and what each keeps."""

    kind: Kind
    layers: int
    heads: int = 1  # of keys and values; several cards share them
    elements: int = 0  # of key and value together, per head and token
    reach: int = 0  # tokens of a window or a chunk; 0 for all
    state_bytes: int = 0  # of a recurrent layer, on one card
    states: int = (
        0  # of these that a conversation holds, so that prompts that begin alike are found
    )

    def token_bytes(self, element_bytes: float, cards: int = 1) -> int:
        """What one token costs one layer on one of so many cards; 0 for a state."""
        heads = max(1, self.heads // cards) if self.kind != Kind.LATENT else 1
        return ceil(heads * self.elements * element_bytes)


_LATENT = """
    axk1 deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 deepseek_v41 dots3_note glm5_next
    glm5_next_text glm_moe_dsa glm4_moe_lite kimi_k2 kimi_linear longcat_flash pangu_ultra_moe
    bailing_hybrid hy_v4"""
_LATENT_TYPES = frozenset(_LATENT.split())  # the model types that vLLM serves so
_PERIODS = {  # every how many layers one sees all, where config.json does not say
    "gemma2": 2,
    "cohere2": 4,
    "gemma3": 6,
    "gemma3_text": 6,
    "gemma3n": 5,
    "gemma3n_text": 5,
    "gpt_oss": 2,
    "exaone4": 4,
    "olmo3": 4,
}
_WINDOWS = {"gemma2": 4_096, "gemma3": 4_096, "gemma3_text": 4_096, "gpt_oss": 128}
_SLIDING = ("sliding_attention", "chunked_attention")
_WITHOUT = ("mamba", "linear_attention", "conv", "recurrent", "kda", "mlp", "moe")


def layer_caches(config: ModelConfig) -> tuple[LayerCache, ...]:
    """What the layers keep, equal ones together, in the order in which they first come."""
    counted: dict[LayerCache, int] = {}
    for index in range(config.layers):
        for cache in _kept(config, index):
            counted[cache] = counted.get(cache, 0) + 1
    return tuple(cache.model_copy(update={"layers": number}) for cache, number in counted.items())


def _kept(config: ModelConfig, index: int) -> list[LayerCache]:
    """What this layer keeps: an attention's cache, a state, both, or nothing."""
    if index >= config.layers - config.number("num_kv_shared_layers"):
        return []
    kind = _layer_type(config, index)
    kept = []
    if recurrent.has_state(config, kind):
        size, states = recurrent.state_bytes(config), recurrent.states(config)
        kept.append(LayerCache(kind=Kind.STATE, layers=1, state_bytes=size, states=states))
    if kind not in _WITHOUT:  # a kind that is not known counts as the costliest
        kept.extend(_attention(config, index, kind))
    return kept


def _layer_type(config: ModelConfig, index: int) -> str:
    """The layer's type in transformers' words, `full_attention`."""
    listed = config.list("layer_types", "layers_block_type")
    if index < len(listed) and isinstance(listed[index], str):
        return str(listed[index])
    told = recurrent.layer_type(config, index)
    if told:
        return told
    if _chunk(config, index):
        return "chunked_attention"
    return "sliding_attention" if _slides(config, index) else "full_attention"


def _slides(config: ModelConfig, index: int) -> bool:
    """Does this layer of a model that lists no types see only a window?"""
    is_asked_for = config.value("use_sliding_window")
    if not _window(config) or is_asked_for is False:
        return False
    pattern = config.list("hybrid_layer_pattern")
    if index < len(pattern):
        return bool(pattern[index])
    if is_asked_for or config.model_type.startswith("qwen"):  # which do not unless they say so
        return bool(is_asked_for) and index >= config.number("max_window_layers")
    period = config.number(
        "sliding_window_pattern",
        "_sliding_window_pattern",
        default=_PERIODS.get(config.model_type, 0),
    )
    return (index + 1) % period != 0 if period else True


def _chunk(config: ModelConfig, index: int) -> bool:
    """Llama 4's layers with rotary positions see their chunk alone; every fourth has none."""
    if not config.number("attention_chunk_size") or config.model_type.startswith("mimo"):
        return False
    listed = config.list("no_rope_layers")
    if index < len(listed):
        return bool(listed[index])
    interval = config.number("no_rope_layer_interval", default=4)
    return (index + 1) % max(interval, 1) != 0


def _window(config: ModelConfig) -> int:
    default = _WINDOWS.get(config.model_type, 0)
    return config.number("sliding_window", "sliding_window_size", default=default)


def _attention(config: ModelConfig, index: int, kind: str) -> list[LayerCache]:
    if config.model_type in _LATENT_TYPES and config.number("kv_lora_rank"):
        return _latent(config)
    heads, elements = _heads_and_elements(config, index, kind)
    if not heads:
        return []
    if kind == "sliding_attention" and _window(config):
        # Cohere's windows count the token itself besides.
        reach = _window(config) + (config.model_type == "cohere2")
        return [LayerCache(kind=Kind.WINDOW, layers=1, heads=heads, elements=elements, reach=reach)]
    if kind == "chunked_attention":
        reach = config.number("attention_chunk_size", default=8_192)
        return [LayerCache(kind=Kind.CHUNK, layers=1, heads=heads, elements=elements, reach=reach)]
    return [LayerCache(kind=Kind.FULL, layers=1, heads=heads, elements=elements)]


def _latent(config: ModelConfig) -> list[LayerCache]:
    """One vector for all heads; DeepSeek 3.2 and its like also keep an index to search in."""
    elements = config.number("kv_lora_rank") + config.number("qk_rope_head_dim")
    kept = [LayerCache(kind=Kind.LATENT, layers=1, elements=elements)]
    if search := config.number("index_head_dim"):
        # One byte for each element and four for each 128 of them, as two-byte elements.
        kept.append(
            LayerCache(kind=Kind.LATENT, layers=1, elements=ceil((search + 4 * search / 128) / 2))
        )
    return kept


def _heads_and_elements(config: ModelConfig, index: int, kind: str) -> tuple[int, int]:
    """Heads of keys and values, and the elements of both for one of them."""
    heads = _kv_heads(config, index)
    size = _head_size(config)
    if config.number("kv_lora_rank") and not config.number("head_dim"):
        # Latent attention that vLLM serves as an ordinary one (MiniCPM 3): a head for each query's.
        heads = config.heads
        size = config.number("qk_nope_head_dim") + config.number("qk_rope_head_dim")
    if kind not in _SLIDING and config.number("global_head_dim"):  # Gemma 4
        size = config.number("global_head_dim")
        heads = config.number("num_global_key_value_heads", default=heads)
    if config.list("hybrid_layer_pattern"):
        return _mimo(config, kind, heads, size)
    return heads, 2 * size


def _mimo(config: ModelConfig, kind: str, heads: int, size: int) -> tuple[int, int]:
    """MiMo V2: values narrower than keys, and both otherwise in the layers with a window."""
    value = config.number("v_head_dim", default=size)
    if kind == "sliding_attention":
        heads = config.number("swa_num_key_value_heads", default=heads)
        size = config.number("swa_head_dim", default=size)
        value = config.number("swa_v_head_dim", default=value)
    return heads, size + value


def _head_size(config: ModelConfig) -> int:
    names = ("attention_head_dim", "head_dim", "kv_channels", "hidden_size_per_head")
    return config.number(*names, default=config.hidden // max(config.heads, 1))


def _kv_heads(config: ModelConfig, index: int) -> int:
    """Heads of keys and values of this layer; 0 where it has no attention."""
    block = _block(config, index)
    if block is not None:
        shared = max(block.number("n_heads_in_group", default=1), 1)
        return 0 if block.value("no_op") else config.heads // shared
    if config.value("multi_query") and not config.value("new_decoder_architecture"):
        return config.number("multi_query_group_num", default=1)
    names = ("num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num")
    inside = config.part("attn_config").number("kv_n_heads", default=config.heads)
    return config.number(*names, "num_attention_groups", default=inside)


def _block(config: ModelConfig, index: int) -> ModelConfig | None:
    """What Nemotron's searched architectures say of this layer's attention."""
    listed = config.list("block_configs")
    found = listed[index] if index < len(listed) else None
    return ModelConfig(found).part("attention") if isinstance(found, Mapping) else None
