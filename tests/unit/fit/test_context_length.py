"""How many tokens authors allow, by the rules of vLLM's config/model.py."""

from typing import Any

import pytest

from lib.fit.context_length import context_length
from lib.fit.model_config import ModelConfig
from tests.support import checkpoint_configs as configs
from tests.support.checkpoint_configs import Config

LENGTHS = {
    "llama3 is stretched already": (configs.LLAMA_8B, 131_072, 131_072),
    "yarn is stretched already": (configs.DEEPSEEK_V3, 163_840, 163_840),
    "no scaling": (configs.QWEN25_7B, 32_768, 32_768),
    "mrope is none": (configs.QWEN25_VL_7B, 128_000, 128_000),
    "longrope begins at the original": (configs.PHI35_MINI, 131_072, 4_096),
    "Gemma 3 is stretched already": (configs.GEMMA3_12B, 131_072, 131_072),
    "the language model's own": (configs.LLAMA4_SCOUT, 10_485_760, 10_485_760),
    "Cohere's own name": (configs.COMMAND_R7B, 132_096, 132_096),
    "ChatGLM's name": (configs.CHATGLM, 131_072, 131_072),
    "GPT-2's name": (configs.GPT2, 1_024, 1_024),
    "nothing named": (configs.MAMBA2, 2_048, 2_048),
    "linear": (
        configs.LLAMA_8B | {"rope_scaling": {"type": "linear", "factor": 2.0}}, 262_144, 262_144
    ),
    "dynamic": (
        configs.MISTRAL_7B_V3 | {"rope_scaling": {"rope_type": "dynamic", "factor": 4}},
        131_072,
        131_072,
    ),
    "one for each type of layer": (
        configs.MISTRAL_7B_V3
        | {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2},
                               "sliding_attention": {"rope_type": "default"}}},
        65_536,
        65_536,
    ),
    "the smallest of several": (configs.LLAMA_8B | {"seq_length": 4_096}, 4_096, 4_096),
}  # fmt: skip


@pytest.mark.parametrize(("config", "largest", "own"), LENGTHS.values(), ids=LENGTHS.keys())
def test_the_length_is_the_one_that_vllm_derives(config: Config, largest: int, own: int) -> None:
    assert context_length(ModelConfig(config)) == (largest, own)


@pytest.mark.parametrize("factor", [None, "two", 1e9, -3, float("nan"), True])
def test_an_odd_factor_stretches_nothing(factor: Any) -> None:
    config = configs.LLAMA_8B | {"rope_scaling": {"type": "linear", "factor": factor}}
    assert context_length(ModelConfig(config)).largest == 131_072
