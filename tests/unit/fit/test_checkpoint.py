"""What a repository is: parameters and bytes held against what is published of known models."""

from typing import Any

import pytest

from lib.fit.checkpoint import Checkpoint, described, read_checkpoint
from lib.fit.tensor_sums import Part, part_of, summed, total
from tests.support import checkpoint_configs as configs
from tests.support import weight_shapes as weights
from tests.support.checkpoint_configs import Config, quantized
from tests.support.expect import expect_failure
from tests.support.safetensors_files import tensors_of, weights_of
from tests.support.weight_shapes import Format, Named

# Parameters and bytes of all tensors as the Hub shows them for these repositories.
PUBLISHED = {
    "Llama 3.1 8B": (configs.LLAMA_8B, weights.dense, 8_030_261_248, 16_060_522_496),
    "Llama 3.1 70B": (configs.LLAMA_70B, weights.dense, 70_553_706_496, 141_107_412_992),
    "Qwen 2.5 7B": (configs.QWEN25_7B, weights.dense, 7_615_616_512, 15_231_233_024),
    "Qwen 2.5 0.5B": (configs.QWEN25_05B, weights.dense, 494_032_768, 988_065_536),
    "Qwen 3 8B": (configs.QWEN3_8B, weights.dense, 8_190_735_360, 16_381_470_720),
    "Mistral 7B 0.3": (configs.MISTRAL_7B_V3, weights.dense, 7_248_023_552, 14_496_047_104),
    "Qwen 3 30B-A3B": (configs.QWEN3_30B, weights.experts, 30_532_122_624, 61_064_245_248),
    "Mixtral 8x7B": (configs.MIXTRAL, weights.experts, 46_702_792_704, 93_405_585_408),
    "DeepSeek V2 Lite": (configs.DEEPSEEK_V2_LITE, weights.latent, 15_706_484_224, 31_412_968_448),
    "gpt-oss 20B": (configs.GPT_OSS_20B, weights.gpt_oss, 20_914_757_184, 13_761_264_768),
    "gpt-oss 120B": (configs.GPT_OSS_120B, weights.gpt_oss, 116_829_156_672, 65_248_815_744),
}

# Qwen 2.5 7B has 6,525,288,448 numbers in its layers' matrices; what each format makes of them:
MATRICES = 28 * (3_584 * (3_584 + 2 * 512) + 3_584 * 3_584 + 3 * 3_584 * 18_944)
BESIDE = 7_615_616_512 - MATRICES  # embeddings, output, biases, norms
FORMATS = {
    # 4 bits; for 128 of them 16 of scale and 4 of zero point
    Format.AWQ: (configs.AWQ, MATRICES // 2 + MATRICES // 128 * 20 // 8),
    # the same, and an order of 32 bits for each of a matrix's inputs
    Format.GPTQ: (configs.GPTQ, MATRICES // 2 + MATRICES // 128 * 20 // 8 + 28 * 40_448 * 4),
    # 8 bits; 32 for each square of 128
    Format.FP8_BLOCK: (configs.FP8_BLOCK, MATRICES + MATRICES // 128**2 * 4),
    # 8 bits; 16 for each row
    Format.FP8: (configs.FP8_W8A8, MATRICES + 28 * 49_664 * 2),
    Format.W8A8: (configs.W8A8, MATRICES + 28 * 49_664 * 2),
    # 4 bits; 16 for each 128, and two numbers of 64 for each of seven matrices
    Format.W4A16: (configs.W4A16, MATRICES // 2 + MATRICES // 128 * 2 + 28 * 7 * 16),
    # 4 bits; 8 for each 16, and two numbers of 32 for each matrix
    Format.NVFP4: (configs.NVFP4, MATRICES // 2 + MATRICES // 16 + 28 * 7 * 8),
}


def read(config: Config, shapes: Named, extra: dict[str, Config] | None = None) -> Checkpoint:
    return read_checkpoint(
        config, summed(tensors_of(shapes), config.get("num_hidden_layers", 0)), extra
    )


@pytest.mark.parametrize(
    ("config", "build", "parameters", "size"), PUBLISHED.values(), ids=PUBLISHED.keys()
)
def test_parameters_and_bytes_are_those_that_are_published(
    config: Config, build: Any, parameters: int, size: int
) -> None:
    found = read(config, build(config))
    assert (found.parameters, found.file_bytes) == (parameters, size)
    assert found.weights.total == size


@pytest.mark.parametrize(("form", "expected"), FORMATS.items(), ids=FORMATS.keys())
def test_packed_numbers_are_unpacked_to_be_counted(
    form: Format, expected: tuple[Config, int]
) -> None:
    how, size = expected
    found = read(quantized(configs.QWEN25_7B, how), weights.dense(configs.QWEN25_7B, form))
    assert found.parameters == 7_615_616_512
    assert found.file_bytes == size + BESIDE * 2
    assert found.weights.total == found.file_bytes
    assert found.weights.quantizable == 0


def test_modelopt_says_how_it_quantized_in_a_file_of_its_own() -> None:
    shapes = weights.dense(configs.QWEN25_7B, Format.MODELOPT_NVFP4)
    extra = {"hf_quant_config.json": configs.MODELOPT_NVFP4}
    found = read(configs.QWEN25_7B, shapes, extra)
    assert found.quantization is not None
    assert found.quantization.method == "modelopt_fp4"
    assert found.quantization.kv_is_fp8
    assert found.parameters == 7_615_616_512
    assert 6.1 < found.bits_per_weight < 6.2


def test_a_token_uses_few_of_many_experts() -> None:
    found = read(configs.QWEN3_30B, weights.experts(configs.QWEN3_30B))
    assert 3.0e9 < found.active_parameters < 3.4e9  # “A3B”
    assert found.experts == 128


def test_what_only_drafts_is_not_loaded() -> None:
    small = configs.DEEPSEEK_V3 | {"num_hidden_layers": 4, "n_routed_experts": 8}
    found = read(small, weights.latent(small, Format.FP8_BLOCK))
    drafting = weights.latent(small | {"num_nextn_predict_layers": 0}, Format.FP8_BLOCK)
    assert found.weights.total == weights_of(drafting) - 2 * 8  # 32-bit numbers become 16-bit ones
    assert found.file_bytes > found.weights.total


def test_an_output_matrix_that_is_the_embedding_is_loaded_once() -> None:
    shapes = weights.dense(configs.QWEN25_05B)
    twice = {**shapes, "lm_head.weight": shapes["model.embed_tokens.weight"]}
    assert read(configs.QWEN25_05B, twice).weights == read(configs.QWEN25_05B, shapes).weights


def test_numbers_of_32_bits_are_loaded_as_16() -> None:
    shapes = weights.dense(configs.TINY, Format.F32)
    found = read(configs.TINY, shapes)
    assert found.dtype == "float32"
    assert found.weights.total * 2 == found.file_bytes


def test_a_tower_is_counted_apart() -> None:
    shapes = weights.with_tower(weights.dense(configs.QWEN25_VL_7B | {"model_type": "qwen2"}))
    found = read(configs.QWEN25_VL_7B, shapes)
    assert found.has_vision
    assert found.weights.towers == 32 * 3_840 * 1_280 * 2
    assert found.active_parameters < found.parameters - 32 * 3_840 * 1_280


def test_sums_do_not_depend_on_how_the_files_are_divided() -> None:
    tensors = tensors_of(weights.dense(configs.TINY))
    parts = [summed(tensors[start::3], 2) for start in range(3)]
    assert total(parts) == summed(tensors, 2)
    assert summed(tensors, 2).by_type() == {"BF16": weights_of(weights.dense(configs.TINY))}


PARTS = {
    "model.layers.0.self_attn.q_proj.weight": Part.LAYERS,
    "model.layers.0.self_attn.q_proj.bias": Part.LAYERS,
    "model.layers.4.mlp.gate.weight": Part.UNUSED,  # behind the last of four layers
    "transformer.h.3.attn.c_attn.weight": Part.LAYERS,
    "transformer.h.3.attn.bias": Part.UNUSED,  # GPT-2's mask
    "mtp.layers.0.mlp.up_proj.weight": Part.UNUSED,
    "model.mtp.fc.weight": Part.UNUSED,
    "talker.model.layers.0.mlp.up_proj.weight": Part.UNUSED,
    "model.embed_tokens.weight": Part.EMBEDDING,
    "model.language_model.embed_tokens_per_layer.weight": Part.EMBEDDING,
    "transformer.wte.weight": Part.EMBEDDING,
    "lm_head.weight": Part.HEAD,
    "language_model.lm_head.weight": Part.HEAD,
    "output.weight": Part.HEAD,
    "model.layers.1.mlp.experts.7.up_proj.weight": Part.EXPERTS,
    "model.layers.1.mlp.shared_experts.up_proj.weight": Part.LAYERS,
    "model.layers.1.mlp.experts.gate_up_proj_blocks": Part.EXPERTS,
    "model.layers.1.mlp.experts.gate_up_proj_scales": Part.SCALES,
    "model.layers.1.mlp.experts.7.up_proj.weight_scale_inv": Part.SCALES,
    "model.layers.1.mlp.up_proj.qzeros": Part.SCALES,
    "model.layers.1.mlp.up_proj.g_idx": Part.SCALES,
    "model.layers.1.mlp.up_proj.weight_scale_2": Part.SCALES,
    "model.layers.1.mlp.up_proj.weight_packed": Part.LAYERS,
    "model.layers.1.mlp.up_proj.qweight": Part.LAYERS,
    "visual.blocks.31.attn.qkv.weight": Part.TOWER,
    "model.vision_tower.vision_model.encoder.layers.26.mlp.fc1.weight": Part.TOWER,
    "multi_modal_projector.linear_1.weight": Part.TOWER,
    "vision_encoder.transformer.layers.0.attention.wq.weight": Part.TOWER,
    "audio_tower.layers.9.fc1.weight": Part.TOWER,
}


@pytest.mark.parametrize(("name", "part"), PARTS.items())
def test_a_name_tells_what_a_tensor_is_for(name: str, part: Part) -> None:
    assert part_of(name, 4) == part


REFUSED = {
    "no architecture": ({"model_type": "llama"}, "names no architecture"),
    "no numbers": ({"architectures": ["LlamaForCausalLM"]}, "how many layers"),
    "absurd": (configs.LLAMA_8B | {"num_hidden_layers": 10**6}, "how many layers"),
    "remote code": (
        configs.LLAMA_8B | {"architectures": ["OwnForCausalLM"], "auto_map": {"AutoModel": "own"}},
        "runs only with code that comes with the model",
    ),
    "a config of its own": (
        configs.NEMOTRON_49B | {"auto_map": {"AutoConfig": "configuration_decilm.DeciLMConfig"}},
        "runs only with code that comes with the model",
    ),
    "unknown": (configs.LLAMA_8B | {"architectures": ["OwnForCausalLM"]}, "does not know"),
    "left vLLM": (configs.LLAMA_8B | {"architectures": ["Grok1ForCausalLM"]}, "after 0.24.0"),
    "embeddings": (configs.LLAMA_8B | {"architectures": ["BertModel"]}, "measures texts"),
    "speech": (
        configs.LLAMA_8B | {"architectures": ["WhisperForConditionalGeneration"]},
        "instead of writing answers",
    ),
    "draft": (configs.LLAMA_8B | {"architectures": ["Eagle3LlamaForCausalLM"]}, "only drafts"),
    "plugin": (configs.LLAMA_8B | {"architectures": ["BartModel"]}, "only with a plugin"),
    "bitsandbytes": (quantized(configs.LLAMA_8B, configs.BNB), "bitsandbytes"),
    "EXL2": (quantized(configs.LLAMA_8B, {"quant_method": "exl2"}), "as “exl2”"),
    "MLX": (
        configs.LLAMA_8B
        | {"quantization": {"bits": 4, "group_size": 64}, "quantization_config": {"bits": 4}},
        "MLX's format",
    ),
    "AWQ, 3 bits": (
        quantized(configs.LLAMA_8B, configs.AWQ | {"bits": 3}), "AWQ with 4 bits alone"
    ),
    "GPTQ, 3 bits": (quantized(configs.LLAMA_8B, configs.GPTQ | {"bits": 3}), "has 3 bits"),
    "GPTQ, asymmetric": (
        quantized(configs.LLAMA_8B, configs.GPTQ | {"sym": False}), "asymmetric scales"
    ),
    "for processors": (
        quantized(configs.LLAMA_8B, configs.compressed(configs.INT4, configs.INT8)),
        "on processors alone",
    ),
    "nameless": (quantized(configs.LLAMA_8B, {"bits": 4}), "something unnamed"),
}  # fmt: skip


@pytest.mark.parametrize(("config", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_each_refusal_has_its_sentence(config: Config, words: str) -> None:
    error = expect_failure("bad_input", lambda: read_checkpoint(config, summed([], 1)))
    assert words in error.message


@pytest.mark.parametrize(
    ("config", "layers"),
    [(configs.DEEPSEEK_V2_LITE, 27), (configs.PHI35_MINI, 32), (configs.CHATGLM, 40)],
)
def test_code_that_comes_with_a_model_is_no_matter_where_vllm_has_its_own(
    config: Config, layers: int
) -> None:
    assert config["auto_map"]
    assert read(config | {"auto_map": {"AutoConfig": "own"}}, {}).layers == layers


def test_a_cap_on_answers_and_a_shorter_context_of_its_own_are_noted() -> None:
    extra = {"generation_config.json": {"max_new_tokens": 2_048}}
    found = read(configs.PHI35_MINI, {}, extra)
    assert (found.context_length, found.own_context) == (131_072, 4_096)
    assert [note for note in found.notes if "caps every answer at 2,048 tokens" in note]
    assert [note for note in found.notes if "4,096 tokens of context" in note]


def test_a_line_describes_it() -> None:
    found = read(configs.LLAMA_8B, weights.dense(configs.LLAMA_8B))
    assert described(found) == "8.0 billion parameters, bfloat16, 32 layers"
    found = read(configs.GPT_OSS_20B, weights.gpt_oss(configs.GPT_OSS_20B))
    assert described(found) == "20.9 billion parameters, MXFP4, 4 bits, 24 layers"


def test_a_checkpoint_comes_back_whole_from_the_disk() -> None:
    found = read(configs.GPT_OSS_20B, weights.gpt_oss(configs.GPT_OSS_20B))
    assert Checkpoint.model_validate_json(found.model_dump_json()) == found
