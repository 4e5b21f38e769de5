import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit.quantizations import (
    BITS_PER_WEIGHT,
    LADDER,
    estimated_bytes,
    quality,
    quantization_of,
    variants,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("model.Q8_0.gguf", "Q8_0"),
        ("Phi-3.5-mini-instruct_Q5_K_S.gguf", "Q5_K_S"),
        ("gemma-3-UD-Q4_K_XL.gguf", "Q4_K_XL"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4"),
        ("x-IQ3_XXS.gguf", "IQ3_XXS"),
        ("x.i1-Q4_K_M.gguf", "Q4_K_M"),
        ("x-fp16.gguf", "F16"),
        ("x-bf16.gguf", "BF16"),
        ("Q8_0/model-00001-of-00003.gguf", "Q8_0"),
        ("UD-Q2_K_XL/model-00001-of-00003.gguf", "Q2_K_XL"),
        ("Q8_0/model-Q4_K_M.gguf", "Q4_K_M"),
        ("Q2_K-to-Q4_0-x-Q6_K.gguf", "Q6_K"),
        ("AVQ2-7B.gguf", ""),
        ("AVQ2_K-7B.gguf", ""),
        ("model-Q4_0_4_4.gguf", ""),  # a layout that the engine no longer reads
        ("model-q4_k.gguf", "Q4_K"),
        ("Q4", ""),
        ("", ""),
    ],
)
def test_a_quantization_is_read_as_a_whole_word(path: str, expected: str) -> None:
    assert quantization_of(path) == expected


@given(st.text(max_size=300))
def test_any_text_is_a_known_quantization_or_none(text: str) -> None:
    assert quantization_of(text) in {"", *BITS_PER_WEIGHT}


def test_the_parts_of_a_divided_model_are_one_variant() -> None:
    [found] = variants([(f"Q8_0/m-Q8_0-{n:05d}-of-00003.gguf", 10**9 + n) for n in (2, 1, 3)])
    assert found.quantization == "Q8_0"
    assert found.bytes == 3 * 10**9 + 6
    assert found.is_divided
    assert found.paths == tuple(f"Q8_0/m-Q8_0-{n:05d}-of-00003.gguf" for n in (1, 2, 3))


@pytest.mark.parametrize("present", [(1, 2), (2, 3), (1,), (1, 2, 4)])
def test_a_divided_model_with_a_missing_part_is_left_out(present: tuple[int, ...]) -> None:
    assert variants([(f"m-Q8_0-{n:05d}-of-00003.gguf", 1) for n in present]) == []


def test_a_hostile_number_of_parts_is_harmless() -> None:
    assert variants([("m-Q8_0-00001-of-99999.gguf", 1), ("n-Q8_0-00000-of-00000.gguf", 1)]) == []


@pytest.mark.parametrize(
    "path",
    [
        "mmproj-F16.gguf",
        "mmproj-model-Q8_0.gguf",
        "Model-imatrix-Q8_0.gguf",
        "Model-MTP-Q4_K_M.gguf",
        "Model-draft-Q4_0.gguf",
        "eagle3-Model-F16.gguf",
        "Model-lora-f16.gguf",
        "ggml-vocab-F16.gguf",
        "Model.gguf",
        "Model-Q4_K_M.safetensors",
        "README.md",
        ".gguf",
        "",
    ],
)
def test_what_goes_beside_a_model_is_not_a_variant(path: str) -> None:
    assert variants([(path, 10**9)]) == []


def test_a_name_that_only_contains_such_a_word_is_a_model() -> None:
    assert len(variants([("Explorationist-7B-Q4_K_M.gguf", 1), ("Florae-7B-Q4_K_M.gguf", 1)])) == 2


def test_variants_come_best_first() -> None:
    names = ["Q2_K", "Q8_0", "IQ4_XS", "F16", "Q4_K_M"]
    found = variants([(f"m-{name}.gguf", 1) for name in names])
    assert [variant.quantization for variant in found] == [
        "F16",
        "Q8_0",
        "Q4_K_M",
        "IQ4_XS",
        "Q2_K",
    ]


def test_the_ladder_goes_down() -> None:
    rungs = [quality(rung) for rung in LADDER]
    assert rungs == sorted(rungs, reverse=True)
    assert quality("nothing") == 0


def test_a_file_that_does_not_exist_is_estimated_by_bits_per_weight() -> None:
    assert estimated_bytes(8_030_261_248, "Q4_K_M") == pytest.approx(4_920_739_232, rel=0.01)
