"""How each engine is told to draw, and what it does where nobody chooses."""

import json
from pathlib import Path

import pytest

from lib.core.settings import settings
from lib.engines import llamacpp, ollama
from lib.engines.base import ChatOptions, Message, Sampling
from lib.engines.ollama import sampling as of_ollama
from lib.engines.openai_api import beyond_openai
from lib.engines.vllm import engine as vllm
from lib.engines.vllm import folder
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake

CHOSEN = ChatOptions(temperature=0.5, top_k=20, min_p=0.1, repeat_penalty=1.1)
QUESTION = [Message(role="user", content="Hello")]
FURTHER = {"top_k": 20, "min_p": 0.1}


def laid(path: Path, generation: object) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "generation_config.json").write_text(json.dumps(generation))
    return path


def test_vllm_has_a_name_of_its_own_for_the_penalty() -> None:
    assert beyond_openai(CHOSEN, vllm.FIELDS) == {**FURTHER, "repetition_penalty": 1.1}
    assert beyond_openai(ChatOptions(), vllm.FIELDS) == {}


def test_llamacpp_is_asked_by_its_own_names_and_tells_its_values() -> None:
    with running_fake() as fake:
        lay_fake(settings().home, fake)
        list(llamacpp.ENGINE.chat("fake", QUESTION, CHOSEN))
        body = fake.record()[-1]["body"]
        assert {name: body[name] for name in ("top_k", "min_p", "repeat_penalty")} == {
            **FURTHER,
            "repeat_penalty": 1.1,
        }
        list(llamacpp.ENGINE.complete("fake", "Once", CHOSEN))
        assert fake.record()[-1]["body"]["repeat_penalty"] == 1.1
        assert llamacpp.ENGINE.usual("fake") == Sampling(
            temperature=0.8, top_p=0.95, top_k=40, min_p=0.05, repeat_penalty=1
        )


def test_a_model_that_does_not_run_tells_nothing() -> None:
    assert llamacpp.ENGINE.usual("nobody") == Sampling()
    assert ollama.ENGINE.usual("nobody") == Sampling()


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ("", Sampling(temperature=0.8, top_p=0.9, top_k=40, min_p=0, repeat_penalty=1.1)),
        (
            'temperature                    0.7\ntop_p 0.8\nstop "<|im_end|>"\nrepeat_penalty 1.05',
            Sampling(temperature=0.7, top_p=0.8, top_k=40, min_p=0, repeat_penalty=1.05),
        ),
        (
            "temperature hot\ntop_k nan\nmin_p",
            Sampling(temperature=0.8, top_p=0.9, top_k=40, min_p=0, repeat_penalty=1.1),
        ),
    ],
)
def test_ollama_goes_by_the_models_own_file_and_then_by_its_own_values(
    parameters: str, wanted: Sampling
) -> None:
    assert of_ollama.usual(parameters) == wanted


@pytest.mark.parametrize(
    ("generation", "wanted"),
    [
        ({}, Sampling(temperature=1, top_p=1, top_k=0, min_p=0, repeat_penalty=1)),
        (
            {"do_sample": True, "temperature": 0.6, "top_k": 20, "repetition_penalty": 1.05},
            Sampling(temperature=0.6, top_p=1, top_k=20, min_p=0, repeat_penalty=1.05),
        ),
        (
            {"temperature": "hot", "top_p": True, "top_k": None},
            Sampling(temperature=1, top_p=1, top_k=0, min_p=0, repeat_penalty=1),
        ),
        ([1], Sampling(temperature=1, top_p=1, top_k=0, min_p=0, repeat_penalty=1)),
    ],
)
def test_vllm_goes_by_what_the_makers_of_the_model_advise(
    tmp_path: Path, generation: object, wanted: Sampling
) -> None:
    assert folder.sampling(laid(tmp_path / "m", generation)) == wanted


def test_of_a_folder_that_is_not_there_nobody_knows(tmp_path: Path) -> None:
    assert folder.sampling(tmp_path / "gone") == Sampling()
