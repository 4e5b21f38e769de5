"""What may be asked for, and the command that comes of it."""

import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.core.errors import BadInput
from lib.deploy import DeployRequest, wished
from lib.fit.quantizations import BITS_PER_WEIGHT

ODD = [
    "",
    " ",
    "name",
    "a/b/c",
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
    "https://huggingface.co/a/b",
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
    assert text in request.command()
    assert not text.startswith("-")


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


@given(st.text(alphabet=string.printable, min_size=1))
def test_a_quantization_is_a_known_one(text: str) -> None:
    try:
        assert DeployRequest(model="a/b", quantization=text).quantization in {"", *BITS_PER_WEIGHT}
    except BadInput as error:
        assert "is not a quantization" in error.message


@pytest.mark.parametrize("field", [{"context": 5}, {"slots": 0}, {"engine": "vllm"}, {"x": 1}])
def test_other_fields_and_values_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeployRequest.model_validate({"model": "a/b", **field})
    with pytest.raises(BadInput) as caught:
        wished(model="a/b", **field)
    assert next(iter(field)) in caught.value.message


def test_two_quantizations_of_a_model_are_two_deployments() -> None:
    first, second = (DeployRequest(model="a/b", quantization=q) for q in ("Q4_K_M", "Q8_0"))
    assert first.resource != second.resource
    assert first.title == "Deploy b (Q4_K_M)"
    assert DeployRequest(model="/m/some model.gguf").title == "Deploy some model"
