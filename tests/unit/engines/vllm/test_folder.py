"""What a model's files say about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.engines.vllm.folder import Facts, facts


def model(folder: Path, template: str = "", **config: Any) -> Facts:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    (folder / "a.safetensors").write_bytes(b"\0" * 300)
    (folder / "b.safetensors").write_bytes(b"\0" * 200)
    return facts(folder)


def test_size_context_and_template_are_told(tmp_path: Path) -> None:
    about = model(tmp_path / "m", "{{ messages }}", max_position_embeddings=4096, dtype="bfloat16")
    assert about == Facts(
        size_bytes=500, quantization="BF16", context_trained=4096, can_chat=True, can_see=False
    )


def test_without_a_template_it_cannot_chat(tmp_path: Path) -> None:
    assert not model(tmp_path / "m").can_chat


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "AWQ 4-bit"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "COMPRESSED TENSORS"),
        ({"quantization_config": {"quant_method": "**[x](http://x)**"}}, "X HTTP X"),
        ({"quantization_config": {}}, "QUANTIZED"),
        ({"torch_dtype": "float16"}, "F16"),
        ({}, ""),
    ],
)
def test_the_quantization_is_told_in_plain_words(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    assert model(tmp_path / "m", **config).quantization == said


def test_a_model_that_sees_has_its_text_in_a_part_of_its_own(tmp_path: Path) -> None:
    about = model(
        tmp_path / "m",
        vision_config={"depth": 32},
        text_config={"max_position_embeddings": 128_000, "dtype": "bfloat16"},
    )
    assert (about.can_see, about.context_trained, about.quantization) == (True, 128_000, "BF16")


@pytest.mark.parametrize("text", ["[]", "not json", '{"max_position_embeddings": "x"}', ""])
def test_odd_files_deny_nothing_that_they_do_not_know(tmp_path: Path, text: str) -> None:
    model(tmp_path / "m", "{{ messages }}")
    (tmp_path / "m" / "config.json").write_text(text)
    about = facts(tmp_path / "m")
    assert (about.context_trained, about.can_chat) == (None, True)


def test_a_folder_that_is_not_there_is_not_judged(tmp_path: Path) -> None:
    assert facts(tmp_path / "nowhere") == Facts()


def test_a_changed_folder_is_read_anew(tmp_path: Path) -> None:
    assert model(tmp_path / "m", max_position_embeddings=1).context_trained == 1
    assert model(tmp_path / "m", max_position_embeddings=2).context_trained == 2
