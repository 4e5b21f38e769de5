"""Which files of a repository are fetched to be served, and which kinds of it are not for vLLM."""

import pytest

from lib.fit.checkpoint_files import INDEX, model_files, needs_index
from tests.support.expect import expect_failure

BESIDE = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
    "preprocessor_config.json", "chat_template.jinja", "hf_quant_config.json", "tekken.json",
    "additional_chat_templates/tools.jinja", "qwen.tiktoken",
]  # fmt: skip
LEFT = [
    ".gitattributes", "README.md", "LICENSE", "USE_POLICY.md", "modeling_own.py", "notebook.ipynb",
    "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json", "tf_model.h5",
    "consolidated.safetensors", "consolidated.00.pth", "params.json", "original/tokenizer.model",
    "original/consolidated.00.pth", "onnx/model.onnx", "onnx/config.json", "model-Q4_K_M.gguf",
    "adapter_model.safetensors", "adapter_config.json", "training_args.bin", "optimizer.pt",
    "fp16/model.safetensors", "requirements.txt", "all_results.json", "figures/plot.png",
    "1_Pooling/config.json", "consolidated.safetensors.index.json",
]  # fmt: skip


SMALL = ["config.json", "tokenizer.json"]


def parts(count: int, stem: str = "model") -> list[str]:
    return [f"{stem}-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]


def test_weights_configuration_and_tokenizer_are_fetched_and_nothing_else() -> None:
    found = model_files([*LEFT, *BESIDE, INDEX, "model.safetensors"])
    assert found.weights == ("model.safetensors",)
    assert sorted(found.beside) == sorted([*BESIDE, INDEX])
    assert found.paths[-1] == "model.safetensors"


def test_all_parts_come_in_order() -> None:
    whole = [*SMALL, INDEX, *reversed(parts(60))]
    assert not needs_index(whole)
    assert model_files(whole).weights == tuple(parts(60))


def test_a_missing_part_is_named() -> None:
    there = [path for path in parts(7) if "-00003-" not in path]
    error = expect_failure("bad_input", lambda: model_files([*SMALL, *there]))
    assert error.message == "“model” lacks 1 part of 7, the first is number 3."


def test_where_names_leave_it_open_the_index_tells() -> None:
    several = [*SMALL, INDEX, *parts(2), *parts(3, "model.fp32"), "model.safetensors"]
    assert needs_index(several)
    index = {"weight_map": {"a": parts(2)[0], "b": parts(2)[1], "c": parts(2)[0]}}
    assert model_files(several, index).weights == tuple(parts(2))


def test_files_of_any_name_are_weights_where_there_is_no_index() -> None:
    odd = [*SMALL, "llama-fp8.safetensors", "more.safetensors"]
    assert not needs_index(odd)
    assert model_files(odd).weights == ("llama-fp8.safetensors", "more.safetensors")


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"weight_map": {"a": "gone.safetensors"}}, "names “gone.safetensors”, which is not there"),
        ({"weight_map": {"a": "../../etc/passwd"}}, "which is not there"),
        ({"weight_map": {"a": "config.json"}}, "which is not there"),
        ({"weight_map": {}}, "names no files"),
        ({"weight_map": [1]}, "names no files"),
        ({}, "names no files"),
    ],
)
def test_an_index_that_cannot_be_right_is_said_to_be_so(
    index: dict[str, object], words: str
) -> None:
    paths = ["config.json", INDEX, "a.safetensors", "b.safetensors"]
    error = expect_failure("bad_input", lambda: model_files(paths, index))
    assert words in error.message


REFUSED = {
    "GGUF alone": (["config.json", "m-Q4_K_M.gguf"], "GGUF files alone"),
    "GGUF and nothing": (["README.md", "m-Q4_K_M.gguf"], "GGUF files alone"),
    "pickles alone": (["config.json", "pytorch_model.bin"], "can run programs when they are read"),
    "divided pickles": (
        ["config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"],
        "can run programs",
    ),
    "an adapter": (["adapter_config.json", "adapter_model.safetensors"], "an adapter (LoRA)"),
    "an adapter with a config": (
        ["config.json", "adapter_config.json", "adapter_model.safetensors"], "an adapter (LoRA)"
    ),
    "images": (["model_index.json", "unet/model.safetensors"], "makes images"),
    "Mistral's own format": (["params.json", "consolidated.safetensors"], "Mistral's own format"),
    "Mistral's weights": (["config.json", "consolidated.safetensors"], "Mistral's own format"),
    "no config": (["model.safetensors"], "no config.json"),
    "no weights": (["config.json", "README.md"], "no safetensors files"),
    "weights in a folder": (["config.json", "fp16/model.safetensors"], "no safetensors files"),
    "no tokenizer": (["config.json", "model.safetensors"], "no tokenizer"),
    "nothing": ([], "no config.json"),
}  # fmt: skip


@pytest.mark.parametrize(("paths", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_each_kind_that_vllm_does_not_serve_has_its_sentence(paths: list[str], words: str) -> None:
    assert words in expect_failure("bad_input", lambda: model_files(paths)).message
