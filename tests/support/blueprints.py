"""The shapes of well-known models, after their published configurations; types as in Q4_K_M.

What matters is that the file is a valid one of its architecture and of a realistic size.
"""

from collections.abc import Callable

from gguf import GGMLQuantizationType

from tests.support.blueprints_dense import (
    GEMMA_NORMS,
    cohere,
    dense,
    gemma3n,
    gemma4_e4b,
    olmo3,
    phi3_mini,
)
from tests.support.blueprints_experts import (
    deepseek_v32,
    gemma4_26b,
    glm_air,
    gpt_oss_20b,
    latent,
    llama4_scout,
    mixtral,
    sparse,
)
from tests.support.blueprints_plain import falcon_40b, gpt_neox, nemotron_4, starcoder2
from tests.support.blueprints_recurrent import (
    falcon_h1,
    granite_hybrid,
    kimi_linear,
    lfm2,
    mamba,
    mamba2,
    nemotron_3_nano,
    nemotron_h,
    qwen_hybrid,
)
from tests.support.blueprints_rwkv import arwkv7, qrwkv6, rwkv6, rwkv7
from tests.support.headers import Blueprint


def llama_pure() -> Blueprint:
    """Llama 3.2 1B all in Q4_0, the embedding that is its output matrix included."""
    made = MODELS["Llama-3.2-1B"]()
    matrices = [name for name, shape in made.tensors.items() if len(shape) > 1]
    made.types |= dict.fromkeys(matrices, GGMLQuantizationType.Q4_0)
    return made


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
        more_norms=GEMMA_NORMS,
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
        more_norms=GEMMA_NORMS,
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
        more_norms=GEMMA_NORMS,
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
        more_norms=GEMMA_NORMS,
        without=("attn_norm", "ffn_norm"),
    ),
    "Olmo-3-7B": olmo3,
    "Mixtral-8x7B": mixtral,
    "Llama-4-Scout": llama4_scout,
    "GLM-4.5-Air": glm_air,
    "Mamba-2-2.7B": mamba2,
    "Nemotron-3-Nano-30B": nemotron_3_nano,
    "Kimi-Linear-48B": kimi_linear,
    "DeepSeek-V3.2": deepseek_v32,
    "RWKV-6-1.6B": rwkv6,
    "RWKV-7-1.5B": rwkv7,
    "QRWKV6-32B": qrwkv6,
    "ARWKV-7B": arwkv7,
    "StarCoder2-7B": starcoder2,
    "Nemotron-4-15B": nemotron_4,
    "GPT-NeoX-20B": gpt_neox,
    "Falcon-40B": falcon_40b,
}
