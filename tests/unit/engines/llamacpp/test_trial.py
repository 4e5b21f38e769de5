"""How a `llama-server` tells its version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines.llamacpp.trial import version_in


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("version: 6527 (7f766929)\nbuilt with cc for x86_64-linux-gnu\n", "b6527"),
        ("ggml_cuda_init: found 1 device\nversion: 8012 (abc)\n", "b8012"),
        ("version: 0.1.2 (build 10488, commit 1a2b3c4)\n", "b10488"),
        ("version: 0.1.2-dev (build 0, commit unknown)\n", "0.1.2-dev"),
        ("version: 0 (unknown)\n", "0"),
        ("ollama version is 0.30.1\n", ""),
        ("ls (GNU coreutils) 9.1\n", ""),
        ("Python 3.11.2\n", ""),
        ("", ""),
    ],
)
def test_the_build_is_read_from_what_it_prints(said: str, version: str) -> None:
    assert version_in(said) == version


@given(st.text())
def test_any_output_has_a_version_or_none(said: str) -> None:
    assert version_in(f"{said}\nversion: 7 (abc)\n")
    assert version_in(said) == "" or "version: " in said or "(build " in said


@given(st.integers(1, 10**6), st.text(st.characters(categories=["L"])))
def test_every_build_number_is_found(number: int, before: str) -> None:
    assert version_in(f"{before}\nversion: {number} (abc)\n") == f"b{number}"
