"""How the cache is divided, held against what vLLM itself answered.

tests/support/vllm_pools.json holds what vLLM 0.32 (its build for processors, blocks of 128 tokens,
1 GiB of cache) came to for small models of these architectures: blocks, tokens and conversations,
and with `--max-model-len auto` the context it found, which is also what it names in a refusal.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit.kv_pool import Layout, Pool, divided
from lib.fit.layer_caches import Kind, LayerCache, layer_caches
from lib.fit.model_config import ModelConfig
from tests.support import checkpoint_configs as configs

GIB = 2**30
ANSWERS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support" / "vllm_pools.json").read_text("utf-8")
)


LIMITED = {name: answer for name, answer in ANSWERS.items() if "limit" in answer}


def answered(answer: dict[str, Any]) -> Pool:
    layout = Layout(
        block_tokens=answer["block_tokens"], in_flight_tokens=answer["in_flight_tokens"]
    )
    return divided(layer_caches(ModelConfig(answer["config"])), layout)


@pytest.mark.parametrize("answer", LIMITED.values(), ids=LIMITED.keys())
def test_the_longest_context_is_the_one_that_vllm_finds(answer: dict[str, Any]) -> None:
    assert answered(answer).largest_context(GIB, answer["limit"]) == answer["context"]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_cache_is_divided_as_vllm_divides_it(answer: dict[str, Any]) -> None:
    pool = answered(answer)
    conversations = pool.conversations(GIB, answer["context"])
    assert GIB // pool.block_bytes == answer["blocks"]
    assert conversations == pytest.approx(answer["conversations"], rel=1e-9)
    assert int(conversations * answer["context"]) == answer["tokens"]


def pool_of(config: dict[str, Any], **layout: Any) -> Pool:
    return divided(layer_caches(ModelConfig(config)), Layout(**layout))


def test_an_ordinary_model_has_one_group() -> None:
    pool = pool_of(configs.LLAMA_8B)
    assert pool.block_bytes == 16 * 131_072
    assert [pool.blocks_for(tokens) for tokens in (1, 16, 17, 131_072)] == [1, 1, 2, 8_192]


def test_published_figures_come_out() -> None:
    # “3.18 GiB -> 34,736 tokens” of Qwen 3 Coder 30B, “5.38 GiB -> 78,384” of gpt-oss 120B, in
    # whose log every layer cost full pages: with its window the same memory holds more.
    assert pool_of(configs.QWEN3_30B).largest_context(round(3.18 * GIB), 262_144) in range(
        34_650, 34_800
    )
    plain = [
        cache.model_copy(update={"kind": Kind.FULL, "reach": 0})
        for cache in layer_caches(ModelConfig(configs.GPT_OSS_120B))
    ]
    assert divided(plain, Layout()).largest_context(round(5.38 * GIB), 131_072) in range(
        78_200, 78_500
    )
    assert pool_of(configs.GPT_OSS_120B).largest_context(round(5.38 * GIB), 131_072) > 100_000


def test_a_window_takes_no_more_however_long_the_conversation() -> None:
    pool = pool_of(configs.MISTRAL_7B_V1, in_flight_tokens=4_096)
    assert pool.blocks_for(8_191) == pool.blocks_for(1_000_000) == 512 + 1


def test_a_state_takes_the_same_for_any_length() -> None:
    pool = pool_of(configs.MAMBA2)
    assert pool.blocks_for(1) == pool.blocks_for(10**6) == 1
    assert pool.largest_context(GIB, 10**6) == 10**6
    assert pool.largest_context(pool.block_bytes, 10**6) == 0  # one block is never given away


def test_blocks_beside_states_are_so_long_that_a_page_holds_one() -> None:
    pool = pool_of(configs.QWEN3_NEXT)
    [full] = [group for group in pool.groups if group.kind == Kind.FULL]
    state = 3 * 8_192 * 2 + 32 * 128 * 128 * 2
    assert full.block_tokens == 16 * -(-state // (16 * 2 * 2 * 256 * 2))
    assert [group.kind for group in pool.groups].count(Kind.STATE) == 3


def test_cards_share_what_they_can() -> None:
    one, two = (pool_of(configs.LLAMA_8B, cards=cards) for cards in (1, 2))
    assert one.block_bytes == 2 * two.block_bytes
    one, two = (pool_of(configs.DEEPSEEK_V3, cards=cards) for cards in (1, 2))
    assert one.block_bytes == two.block_bytes


def test_a_model_that_keeps_nothing_is_divided_too() -> None:
    pool = divided((), Layout())
    assert pool.largest_context(1, 4_096) == 4_096
    assert (pool.conversations(1, 4_096), pool.bytes_for(4_096)) == (1.0, 0)


CACHES = st.lists(
    st.builds(
        LayerCache,
        kind=st.sampled_from([Kind.FULL, Kind.WINDOW, Kind.CHUNK]),
        layers=st.integers(1, 90),
        heads=st.sampled_from([1, 2, 4, 8, 40]),
        elements=st.sampled_from([64, 128, 192, 256, 512]),
        reach=st.sampled_from([128, 512, 4_096]),
    ),
    min_size=1,
    max_size=4,
)


@given(CACHES, st.integers(1, 64), st.integers(1, 200_000))
def test_the_largest_context_fits_and_no_longer_one(
    caches: list[LayerCache], gibibytes: int, limit: int
) -> None:
    pool = divided(caches, Layout())
    memory = gibibytes * GIB // 8
    largest = pool.largest_context(memory, limit)
    assert 0 <= largest <= limit
    if largest:
        assert pool.bytes_for(largest) <= memory
    if largest < limit:
        assert pool.bytes_for(largest + 1) > memory
