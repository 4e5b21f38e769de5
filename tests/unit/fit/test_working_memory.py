"""What vLLM needs besides weights and cache, held against what its logs have shown."""

import pytest

from lib.fit.checkpoint import Checkpoint, read_checkpoint
from lib.fit.tensor_sums import summed
from lib.fit.working_memory import (
    Batch,
    activation_bytes,
    beside_bytes,
    default_tokens,
    graph_bytes,
)
from tests.support import checkpoint_configs as configs

GIB = 2**30


def read(config: dict[str, object]) -> Checkpoint:
    return read_checkpoint(config, summed([], 1))


GEMMA3_4B = read(
    configs.GEMMA3_12B
    | {
        "text_config": configs.GEMMA3_12B["text_config"]
        | {"num_hidden_layers": 34, "hidden_size": 2_560, "intermediate_size": 10_240}
    }
)


def test_published_figures_of_a_model_that_sees_are_near() -> None:
    batch = Batch(tokens=16_384, conversations=1_024)
    assert activation_bytes(GEMMA3_4B, batch) == pytest.approx(9.96 * GIB, rel=0.1)
    assert graph_bytes(GEMMA3_4B, batch) == pytest.approx(0.65 * GIB, rel=0.15)


def test_without_images_only_text_counts() -> None:
    batch = Batch(tokens=2_048, conversations=16)
    assert activation_bytes(GEMMA3_4B, batch, with_images=False) < GIB // 4


@pytest.mark.parametrize(
    ("total", "name", "expected"),
    [
        (24, "NVIDIA GeForce RTX 4090", 2_048),
        (79.6, "NVIDIA H100 80GB HBM3", 8_192),
        (79.3, "NVIDIA A100-SXM4-80GB", 2_048),
        (119.7, "NVIDIA GB10", 2_048),
        (178, "NVIDIA B200", 16_384),
    ],
)
def test_a_batch_is_as_large_as_vllm_makes_it_on_the_card(
    total: float, name: str, expected: int
) -> None:
    assert default_tokens(round(total * GIB), name) == expected


def test_many_conversations_are_felt_in_the_logits() -> None:
    llama = read(configs.LLAMA_8B)
    few, many = (activation_bytes(llama, Batch(tokens=2_048, conversations=n)) for n in (8, 1_024))
    assert few == 2 * 2_048 * (2 * 4_096 + 3 * 14_336)
    assert many == 2 * 2_048 * 4_096 + 14 * 1_024 * 128_256


def test_experts_keep_the_results_of_all_that_a_token_uses() -> None:
    batch = Batch(tokens=2_048, conversations=8)
    assert activation_bytes(read(configs.QWEN3_30B), batch) == 2 * 2_048 * (
        3 * 2_048 + 8 * (2_048 + 2_048)
    )


def test_cards_share_the_feed_forward_step_and_need_to_talk() -> None:
    llama, batch = read(configs.LLAMA_8B), Batch(tokens=2_048, conversations=8)
    assert activation_bytes(llama, batch, 4) == 2 * 2_048 * (2 * 4_096 + 3 * 14_336 // 4)
    assert beside_bytes(2) > beside_bytes(1)
