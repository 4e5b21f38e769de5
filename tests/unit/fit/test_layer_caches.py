"""What the layers of well-known models keep, worked out here by hand."""

import pytest

from lib.fit.layer_caches import Kind, LayerCache, layer_caches
from lib.fit.model_config import ModelConfig
from tests.support import checkpoint_configs as configs
from tests.support.checkpoint_configs import Config

# Bytes per token in 16 bits while no window is full:
# 2 (keys and values) x heads x size x 2 x layers.
PER_TOKEN = {
    "Llama 3.1 8B": (configs.LLAMA_8B, 2 * 8 * 128 * 2 * 32),
    "Llama 3.1 70B": (configs.LLAMA_70B, 2 * 8 * 128 * 2 * 80),
    "Qwen 2.5 7B": (configs.QWEN25_7B, 2 * 4 * 128 * 2 * 28),
    "Qwen 2.5 0.5B": (configs.QWEN25_05B, 2 * 2 * 64 * 2 * 24),
    "Qwen 3 8B": (configs.QWEN3_8B, 2 * 8 * 128 * 2 * 36),
    "Qwen 3 30B-A3B": (configs.QWEN3_30B, 98_304),  # as vLLM's log has it
    "Qwen 3 235B-A22B": (configs.QWEN3_235B, 2 * 4 * 128 * 2 * 94),
    "Mistral 7B 0.1": (configs.MISTRAL_7B_V1, 2 * 8 * 128 * 2 * 32),
    "Mistral 7B 0.3": (configs.MISTRAL_7B_V3, 2 * 8 * 128 * 2 * 32),
    "Mistral Small 24B": (configs.MISTRAL_24B, 2 * 8 * 128 * 2 * 40),
    "Mixtral 8x7B": (configs.MIXTRAL, 2 * 8 * 128 * 2 * 32),
    "Gemma 2 9B": (configs.GEMMA2_9B, 2 * 8 * 256 * 2 * 42),
    "Gemma 3 1B": (configs.GEMMA3_1B, 2 * 1 * 256 * 2 * 26),
    "Gemma 3 12B": (configs.GEMMA3_12B, 2 * 8 * 256 * 2 * 48),
    "Gemma 3n E4B": (configs.GEMMA3N_E4B, 2 * 2 * 256 * 2 * (35 - 15)),
    "Phi 3 mini": (configs.PHI3_MINI, 2 * 32 * 96 * 2 * 32),
    "Phi 3.5 mini": (configs.PHI35_MINI, 2 * 32 * 96 * 2 * 32),
    "Phi 4": (configs.PHI4, 2 * 10 * 128 * 2 * 40),
    "DeepSeek V2 Lite": (configs.DEEPSEEK_V2_LITE, (512 + 64) * 2 * 27),
    "DeepSeek V3": (configs.DEEPSEEK_V3, (512 + 64) * 2 * 61),
    "gpt-oss 20B": (configs.GPT_OSS_20B, 2 * 8 * 64 * 2 * 24),
    "gpt-oss 120B": (configs.GPT_OSS_120B, 73_728),  # as vLLM's log has it
    "Qwen 3 Next 80B": (configs.QWEN3_NEXT, 2 * 2 * 256 * 2 * 12),
    "Jamba 1.5 mini": (configs.JAMBA_MINI, 2 * 8 * 128 * 2 * 4),
    "Nemotron-H 8B": (configs.NEMOTRON_H_8B, 2 * 8 * 128 * 2 * 4),
    "LFM2 1.2B": (configs.LFM2_1B, 2 * 8 * 64 * 2 * 6),
    "GLM 4.5 Air": (configs.GLM45_AIR, 2 * 8 * 128 * 2 * 46),
    "Granite 4 small": (configs.GRANITE4_SMALL, 2 * 8 * 128 * 2 * 4),
    "Falcon-H1 7B": (configs.FALCON_H1_7B, 2 * 2 * 128 * 2 * 44),
    "Qwen 2.5 VL 7B": (configs.QWEN25_VL_7B, 2 * 4 * 128 * 2 * 28),
    "Llama 4 Scout": (configs.LLAMA4_SCOUT, 2 * 8 * 128 * 2 * 48),
    "Pixtral 12B": (configs.PIXTRAL, 2 * 8 * 128 * 2 * 40),
    "Command R7B": (configs.COMMAND_R7B, 2 * 8 * 128 * 2 * 32),
    "MiniCPM 3": (configs.MINICPM3, 2 * 40 * (64 + 32) * 2 * 62),
    "Falcon 7B": (configs.FALCON_7B, 2 * 1 * 64 * 2 * 32),
    "GLM 4 9B": (configs.CHATGLM, 2 * 2 * 128 * 2 * 40),
    "Nemotron Super 49B": (configs.NEMOTRON_49B, 2 * 8 * 128 * 2 * 49),
    "Kimi Linear 48B": (configs.KIMI_LINEAR, (512 + 64) * 2 * 7),
    "Mamba 2": (configs.MAMBA2, 0),
    "GPT-2": (configs.GPT2, 2 * 12 * 64 * 2 * 12),
    "the tiny model": (configs.TINY, 2 * 2 * 32 * 2 * 2),
}

# Bytes that a conversation keeps whatever its length, of one layer; convolution + state.
STATES = {
    # 3 rows of (2x16x128 + 32x128) in 16 bits; 32 heads of 128x128 in 16 bits
    "Qwen 3 Next 80B": (configs.QWEN3_NEXT, 36, 3 * 8_192 * 2 + 32 * 128 * 128 * 2),
    "Jamba 1.5 mini": (configs.JAMBA_MINI, 28, 8_192 * (3 + 16) * 2),
    # 3 rows of (8192 + 2x8x128) in 16 bits; 128 heads of 64x128 in 32 bits
    "Nemotron-H 8B": (configs.NEMOTRON_H_8B, 24, 3 * 10_240 * 2 + 128 * 64 * 128 * 4),
    "LFM2 1.2B": (configs.LFM2_1B, 10, 2 * 2_048 * 2),
    "Granite 4 small": (configs.GRANITE4_SMALL, 36, 3 * 8_448 * 2 + 128 * 64 * 128 * 2),
    "Falcon-H1 7B": (configs.FALCON_H1_7B, 44, 3 * 3_584 * 2 + 24 * 128 * 256 * 2),
    # 3 rows of 3x32x128 in 16 bits; 32 heads of 128x128 in 32 bits
    "Kimi Linear 48B": (configs.KIMI_LINEAR, 20, 3 * 12_288 * 2 + 32 * 128 * 128 * 4),
    "Mamba 2": (configs.MAMBA2, 64, 3 * 10_240 * 2 + 128 * 64 * 128 * 2),
}

# How many layers look how far back.
WINDOWS = {
    "Mistral 7B 0.1": (configs.MISTRAL_7B_V1, {(Kind.WINDOW, 4_096): 32}),
    "Mistral 7B 0.3": (configs.MISTRAL_7B_V3, {(Kind.FULL, 0): 32}),
    "Qwen 2.5 7B": (configs.QWEN25_7B, {(Kind.FULL, 0): 28}),
    "Gemma 2 9B": (configs.GEMMA2_9B, {(Kind.WINDOW, 4_096): 21, (Kind.FULL, 0): 21}),
    "Gemma 3 1B": (configs.GEMMA3_1B, {(Kind.WINDOW, 512): 22, (Kind.FULL, 0): 4}),
    "Gemma 3 12B": (configs.GEMMA3_12B, {(Kind.WINDOW, 1_024): 40, (Kind.FULL, 0): 8}),
    "Gemma 3n E4B": (configs.GEMMA3N_E4B, {(Kind.WINDOW, 512): 16, (Kind.FULL, 0): 4}),
    "Phi 3 mini": (configs.PHI3_MINI, {(Kind.WINDOW, 2_047): 32}),
    "gpt-oss 20B": (configs.GPT_OSS_20B, {(Kind.WINDOW, 128): 12, (Kind.FULL, 0): 12}),
    "gpt-oss 120B": (configs.GPT_OSS_120B, {(Kind.WINDOW, 128): 18, (Kind.FULL, 0): 18}),
    "Llama 4 Scout": (configs.LLAMA4_SCOUT, {(Kind.CHUNK, 8_192): 36, (Kind.FULL, 0): 12}),
    "Command R7B": (configs.COMMAND_R7B, {(Kind.WINDOW, 4_097): 24, (Kind.FULL, 0): 8}),
    "DeepSeek V3": (configs.DEEPSEEK_V3, {(Kind.LATENT, 0): 61}),
    "Qwen 3 Next 80B": (configs.QWEN3_NEXT, {(Kind.STATE, 0): 36, (Kind.FULL, 0): 12}),
    "Falcon-H1 7B": (configs.FALCON_H1_7B, {(Kind.STATE, 0): 44, (Kind.FULL, 0): 44}),
}


def kept(config: Config) -> tuple[LayerCache, ...]:
    return layer_caches(ModelConfig(config))


@pytest.mark.parametrize(("config", "expected"), PER_TOKEN.values(), ids=PER_TOKEN.keys())
def test_a_token_costs_what_its_layers_keep_of_it(config: Config, expected: int) -> None:
    assert sum(cache.layers * cache.token_bytes(2.0) for cache in kept(config)) == expected


@pytest.mark.parametrize(("config", "layers", "expected"), STATES.values(), ids=STATES.keys())
def test_a_recurrent_layer_keeps_a_state(config: Config, layers: int, expected: int) -> None:
    [state] = [cache for cache in kept(config) if cache.kind == Kind.STATE]
    assert (state.layers, state.state_bytes) == (layers, expected)


@pytest.mark.parametrize(("config", "expected"), WINDOWS.values(), ids=WINDOWS.keys())
def test_layers_look_as_far_back_as_their_model_says(
    config: Config, expected: dict[tuple[Kind, int], int]
) -> None:
    assert {(cache.kind, cache.reach): cache.layers for cache in kept(config)} == expected


def test_cards_share_the_heads_and_each_has_one_at_least() -> None:
    [cache] = kept(configs.LLAMA_8B)
    assert [cache.token_bytes(2.0, cards) for cards in (1, 2, 8, 16)] == [4_096, 2_048, 512, 512]


def test_every_card_keeps_the_whole_of_a_latent_vector() -> None:
    [cache] = kept(configs.DEEPSEEK_V3)
    assert cache.token_bytes(2.0, 8) == cache.token_bytes(2.0) == 1_152


def test_a_cache_of_8_bits_is_half_as_large() -> None:
    [cache] = kept(configs.LLAMA_8B)
    assert cache.token_bytes(1.0) * 2 == cache.token_bytes(2.0)


def test_the_search_index_of_newer_deepseeks_is_kept_too() -> None:
    config = configs.DEEPSEEK_V3 | {"model_type": "deepseek_v32", "index_head_dim": 128}
    assert [cache.token_bytes(2.0) for cache in kept(config)] == [1_152, 132]  # 128 + 4 bytes


def test_gemma_4_keeps_other_heads_in_the_layers_that_see_all() -> None:
    config = configs.GEMMA3_1B | {
        "model_type": "gemma4_text",
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
        "num_hidden_layers": 6,
        "global_head_dim": 512,
        "num_global_key_value_heads": 4,
    }
    assert {cache.kind: cache.token_bytes(2.0) for cache in kept(config)} == {
        Kind.WINDOW: 2 * 1 * 256 * 2,
        Kind.FULL: 2 * 4 * 512 * 2,
    }


def test_mimo_keeps_narrower_values_than_keys() -> None:
    config = configs.LLAMA_8B | {
        "model_type": "mimo_v2_flash", "num_hidden_layers": 4, "hybrid_layer_pattern": [0, 1, 1, 1],
        "head_dim": 192, "v_head_dim": 128, "num_key_value_heads": 4, "sliding_window_size": 128,
        "swa_num_key_value_heads": 8, "attention_chunk_size": 128,
    }  # fmt: skip
    assert {cache.kind: (cache.layers, cache.token_bytes(2.0)) for cache in kept(config)} == {
        Kind.FULL: (1, 4 * (192 + 128) * 2),
        Kind.WINDOW: (3, 8 * (192 + 128) * 2),
    }


def test_a_kind_of_layer_that_is_not_known_counts_as_the_costliest() -> None:
    config = configs.LLAMA_8B | {"layer_types": ["sliding_attention", "novel_attention"] * 16}
    assert {cache.kind for cache in kept(config)} == {Kind.FULL}  # no window is told either


@pytest.mark.parametrize("value", ["many", -4, 1e99, None, [], {}, True, 10**30])
def test_odd_numbers_count_as_none(value: object) -> None:
    for name in ("num_key_value_heads", "head_dim", "sliding_window", "num_kv_shared_layers"):
        layer_caches(ModelConfig(configs.MISTRAL_7B_V1 | {name: value}))
