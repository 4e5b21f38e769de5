"""How weights are quantized, and what each kind of card does with them."""

import pytest

from lib.fit.card_checks import CardRoom, Use, suitability
from lib.fit.model_config import ModelConfig
from lib.fit.weight_formats import Quantization, quantization_of
from tests.support import checkpoint_configs as configs
from tests.support.checkpoint_configs import Config, compressed, quantized

FLOAT4_MX = {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32}
TURING, AMPERE, ADA, HOPPER, BLACKWELL = (7, 5), (8, 6), (8, 9), (9, 0), (12, 0)
CARDS = (TURING, AMPERE, ADA, HOPPER, BLACKWELL)
N, W, X = Use.NATIVE, Use.WORKS, Use.CANNOT

# What a Turing, an Ampere, an Ada, a Hopper and a Blackwell card do with each format.
TABLE = {
    "AWQ": (configs.AWQ, "awq", 4, (N, N, N, N, N)),
    "GPTQ": (configs.GPTQ, "gptq", 4, (N, N, N, N, N)),
    "GPTQ, 8 bits": (configs.GPTQ | {"bits": 8}, "gptq", 8, (N, N, N, N, N)),
    "AutoRound": ({"quant_method": "auto-round", "bits": 4}, "inc", 4, (N, N, N, N, N)),
    "FP8": ({"quant_method": "fp8"}, "fp8", 8, (W, W, N, N, N)),
    "FP8 in blocks": (configs.FP8_BLOCK, "fp8", 8, (W, W, N, N, N)),
    "FBGEMM": ({"quant_method": "fbgemm_fp8"}, "fbgemm_fp8", 8, (X, W, N, N, N)),
    "W4A16": (configs.W4A16, "compressed-tensors", 4, (N, N, N, N, N)),
    "INT8 W8A8": (configs.W8A8, "compressed-tensors", 8, (N, N, N, N, X)),
    "FP8 W8A8": (configs.FP8_W8A8, "compressed-tensors", 8, (W, W, N, N, N)),
    "FP8 W8A16": (compressed(configs.FLOAT8), "compressed-tensors", 8, (N, N, N, N, N)),
    "W4A8": (
        compressed(configs.INT4, configs.FLOAT8), "compressed-tensors", 4, (X, X, X, N, N)
    ),
    "NVFP4": (configs.NVFP4, "compressed-tensors", 4, (W, W, W, W, N)),
    "MXFP4 compressed": (compressed(FLOAT4_MX), "compressed-tensors", 4, (X, W, W, W, N)),
    "ModelOpt NVFP4": (configs.MODELOPT_NVFP4, "modelopt_fp4", 4, (W, W, W, W, N)),
    "ModelOpt FP8": (
        {"quant_method": "modelopt", "quant_algo": "FP8"}, "modelopt", 8, (X, W, N, N, N)
    ),
    "MXFP4": ({"quant_method": "mxfp4"}, "mxfp4", 4, (X, W, W, W, N)),
    "Quark": ({"quant_method": "quark"}, "quark", 8, (N, N, N, N, N)),
    "torchao": ({"quant_method": "torchao"}, "torchao", 8, (N, N, N, N, N)),
    "INT8 experts": ({"quant_method": "experts_int8"}, "experts_int8", 8, (X, N, N, N, N)),
}  # fmt: skip


def read(how: Config) -> Quantization:
    found = quantization_of(ModelConfig(quantized(configs.LLAMA_8B, how)), {})
    assert found is not None
    return found


def card(capability: tuple[int, int] | None) -> CardRoom:
    return CardRoom(name="Card", total_bytes=2**34, free_bytes=2**34, capability=capability)


@pytest.mark.parametrize(("how", "method", "bits", "uses"), TABLE.values(), ids=TABLE.keys())
def test_each_format_is_known_and_each_card_does_what_it_can(
    how: Config, method: str, bits: int, uses: tuple[Use, ...]
) -> None:
    found = read(how)
    assert (found.method, found.bits) == (method, bits)
    assert tuple(suitability(found, card(capability)).use for capability in CARDS) == uses


@pytest.mark.parametrize("capability", [(6, 1), (7, 0)])
def test_cards_before_turing_can_use_nothing(capability: tuple[int, int]) -> None:
    for format in (None, read(configs.AWQ), read(configs.NVFP4)):
        found = suitability(format, card(capability))
        assert found.use == Use.CANNOT
        assert "needs 7.5 or newer" in found.sentence


def test_a_card_that_does_not_tell_is_not_refused() -> None:
    found = suitability(read(configs.NVFP4), card(None))
    assert (found.use, "not known" in found.sentence) == (Use.WORKS, True)


def test_older_cards_are_told_that_it_is_no_faster() -> None:
    found = suitability(read(configs.FP8_BLOCK), card(AMPERE))
    assert found.sentence == (
        "FP8 in blocks is as small here, and faster only from 8.9 on; Card has compute capability"
        " 8.6."
    )


def test_groups_and_squares_are_kept() -> None:
    assert read(configs.AWQ).group_size == 128
    assert read(configs.FP8_BLOCK).block == 128
    assert read(configs.W4A16).group_size == 128


def test_a_checkpoint_may_ask_for_a_cache_of_8_bits() -> None:
    scheme = {"num_bits": 8, "type": "float"}
    assert read(compressed(configs.FLOAT8, configs.FLOAT8, kv_cache_scheme=scheme)).kv_is_fp8
    assert not read(configs.FP8_W8A8).kv_is_fp8


def test_old_gptq_says_it_in_a_file_of_its_own() -> None:
    extra = {"quantize_config.json": {"bits": 4, "group_size": 32, "desc_act": True}}
    found = quantization_of(ModelConfig(configs.LLAMA_8B), extra)
    assert found is not None
    assert (found.method, found.group_size) == ("gptq", 32)


def test_without_a_word_of_it_nothing_is_quantized() -> None:
    assert quantization_of(ModelConfig(configs.LLAMA_8B), {}) is None
