"""What may be asked for, and the command that comes of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.core import names
from lib.core.errors import BadInput
from lib.deploy import DeployRequest, wished
from lib.fit.quantizations import BITS_PER_WEIGHT

ODD = [
    "",
    " ",
    "name",
    "a/b;rm -rf ~",
    "$(id)/x",
    "../../etc/passwd",
    "a/..",
    "a/b\0c",
    "-rf/x",
    "a/\u202ebeta",
    "a/" + "b" * 10_000,
    "/etc/passwd",
    "/tmp/a\0b.gguf",
    "/tmp/a\nb.gguf",
    "/" + "a" * 10_000 + ".gguf",
]


@pytest.mark.parametrize("model", ODD)
def test_what_is_neither_a_repository_nor_a_file_is_refused(model: str) -> None:
    with pytest.raises(BadInput) as caught:
        DeployRequest(model=model)
    assert caught.value.fix


@given(st.text())
def test_any_text_is_a_model_or_is_refused(text: str) -> None:
    try:
        request = DeployRequest(model=text)
    except BadInput:
        return
    assert request.model in request.command()
    assert not request.model.startswith("-")
    assert request.is_file or names.repo_name(request.model) == request.model


@given(
    quantization=st.sampled_from(["", *BITS_PER_WEIGHT]),
    context=st.none() | st.integers(256, 10_485_760),
    slots=st.integers(1, 64),
    engine=st.sampled_from(["auto", "ollama", "llamacpp"]),
    accept_danger=st.booleans(),
)
def test_a_request_becomes_the_scripts_arguments(
    quantization: str, context: int | None, slots: int, engine: str, accept_danger: bool
) -> None:
    request = wished(
        model="a/b",
        quantization=quantization.lower(),
        context=context,
        slots=slots,
        engine=engine,
        accept_danger=accept_danger,
    )
    command = request.command()
    assert command[0] == "bash"
    assert command[2:5] == ["a/b", "--foreground", "--yes"]
    pairs = dict(pairwise(command))
    assert pairs["--engine"] == engine
    assert pairs["--slots"] == str(slots)
    assert pairs.get("--quant", "") == quantization
    assert pairs.get("--context") == (str(context) if context else None)
    assert ("--accept-danger" in command) == accept_danger


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("q4_k_m", "Q4_K_M"),
        (" ud-q4_k_xl ", "UD-Q4_K_XL"),
        ("APEX-I-Compact", "APEX-I-Compact"),
        ("v1/m-Q8_0", "v1/m-Q8_0"),
        ("Q99", "Q99"),
        ("", ""),
    ],
)
def test_a_file_is_wished_for_by_its_name_in_the_list(given: str, kept: str) -> None:
    assert DeployRequest(model="a/b", quantization=given).quantization == kept


@pytest.mark.parametrize("text", ["-rf", "/etc/passwd", "Q4\0", "Q4\u202e", "\\x", "Q" * 1_000])
def test_what_can_be_no_name_of_a_file_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a quantization"):
        DeployRequest(model="a/b", quantization=text)


@pytest.mark.parametrize("path", ["../x.gguf", "/x.gguf", "a//b", "a\0b", "a\\b"])
def test_a_file_outside_of_the_repository_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        DeployRequest(model="a/b", file=path)


def test_what_a_text_says_about_a_repository_is_kept() -> None:
    link = "https://huggingface.co/a/b/blob/v1.0/sub/m-Q8_0.gguf"
    request = DeployRequest(model=link)
    assert (request.model, request.revision, request.file) == ("a/b", "v1.0", "sub/m-Q8_0.gguf")
    assert request.quantization == ""
    assert request.title == "Deploy b (m-Q8_0.gguf)"
    pairs = dict(pairwise(request.command()))
    assert (pairs["--file"], pairs["--revision"]) == ("sub/m-Q8_0.gguf", "v1.0")
    tagged = DeployRequest(model="hf.co/a/b:q4_k_m")
    assert (tagged.model, tagged.quantization) == ("a/b", "Q4_K_M")
    assert DeployRequest.model_validate(request.model_dump()) == request


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "a/b:Q4_K_M", "quantization": "Q8_0"},
        {"model": "a/b:m-Q4_K_M.gguf", "quantization": "Q8_0"},
        {"model": "a/b:x.gguf", "file": "y.gguf"},
        {"model": "https://huggingface.co/a/b/tree/v1", "revision": "v2"},
    ],
)
def test_who_says_two_things_is_asked_which(fields: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="Is it"):
        wished(**fields)


def test_who_says_one_thing_twice_is_understood() -> None:
    request = wished(model="a/b:m-Q4_K_M.gguf", quantization="q4_k_m", file="m-Q4_K_M.gguf")
    assert (request.file, request.quantization) == ("m-Q4_K_M.gguf", "Q4_K_M")


@pytest.mark.parametrize("field", [{"context": 5}, {"slots": 0}, {"engine": "vllm"}, {"x": 1}])
def test_other_fields_and_values_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeployRequest.model_validate({"model": "a/b", **field})
    with pytest.raises(BadInput) as caught:
        wished(model="a/b", **field)
    assert next(iter(field)) in caught.value.message


def test_the_type_of_the_cache_is_handed_on() -> None:
    assert "--kv-type" not in DeployRequest(model="a/b").command()
    pairs = dict(pairwise(DeployRequest(model="a/b", kv_type="q8_0").command()))
    assert pairs["--kv-type"] == "q8_0"
    with pytest.raises(BadInput, match="kv_type"):
        wished(model="a/b", kv_type="q2_k")


def test_two_quantizations_of_a_model_are_two_deployments() -> None:
    first, second = (DeployRequest(model="a/b", quantization=q) for q in ("Q4_K_M", "Q8_0"))
    assert first.resource != second.resource
    third = DeployRequest(model="a/b", quantization="Q8_0", revision="v1")
    assert third.resource != second.resource
    assert first.title == "Deploy b (Q4_K_M)"
    assert DeployRequest(model="/m/some model.gguf").title == "Deploy some model"
