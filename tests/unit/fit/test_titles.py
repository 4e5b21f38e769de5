"""What a model is called, from what its file, its repository and its name say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit.titles import LONGEST, of_file, of_name, tidy


@pytest.mark.parametrize(
    ("values", "path", "source", "title"),
    [
        (
            {"general.name": "Qwen2.5 Coder 0.5B Instruct AWQ Q4_K_M"},
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/0a/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            "Qwen2.5 Coder 0.5B Instruct",
        ),
        (
            {"general.name": "Meta Llama 3.1 8B Instruct"},
            "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
            "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
            "Meta Llama 3.1 8B Instruct",
        ),
        (
            {
                "general.basename": "Qwen3",
                "general.size_label": "4B",
                "general.finetune": "Instruct-2507",
            },
            "Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
            "",
            "Qwen3 4B Instruct 2507",
        ),
        ({}, "x.gguf", "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", "SmolLM2 1.7B Instruct"),
        ({}, "gemma-3-4b-it-Q4_K_M-00001-of-00002.gguf", "", "Gemma 3 4B it"),
        ({"general.name": "Gemma"}, "gemma-2b-q8_0.gguf", "", "Gemma 2B"),
        ({}, "mixtral-8x7b-instruct-v0.1.Q4_K_M.gguf", "", "Mixtral 8x7B Instruct v0.1"),
    ],
)
def test_a_model_has_a_name_that_one_can_read(
    values: dict[str, Any], path: str, source: str, title: str
) -> None:
    assert of_file(values, path, source) == title


@pytest.mark.parametrize("told", ["Models", "merged", ".", "", "\x1b[31m", "Tmp Folder", 7, None])
def test_a_header_that_speaks_of_something_else_is_not_believed(told: Any) -> None:
    assert of_file({"general.name": told}, "qwen2.5-0.5b-q4_k_m.gguf") == "Qwen2.5 0.5B"


@pytest.mark.parametrize("path", ["fake.gguf", "tiny.gguf", "model-q4_k_m.gguf"])
def test_a_single_word_is_as_good_as_the_files_name(path: str) -> None:
    assert of_file({"general.name": "Tiny"}, path) == ""


@given(name=st.text(max_size=400), path=st.text(max_size=60))
def test_whatever_a_header_says_is_one_short_line(name: str, path: str) -> None:
    for title in (of_file({"general.name": name}, path), of_name(name), tidy(name)):
        assert len(title) <= LONGEST
        assert title.isprintable()
        assert title == title.strip()
