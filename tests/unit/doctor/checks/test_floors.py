"""Engines below their security floor, and what the gateway keeps away from them."""

import pytest

from lib.doctor import floors
from lib.doctor.checks.floors import Installed, judged

OLD = {floors.LLAMACPP: "b100", floors.OLLAMA: "0.9.0", floors.VLLM: "0.8.0"}


@pytest.mark.parametrize("engine", list(OLD))
def test_what_is_found_says_what_the_gateway_keeps_away_from_it(engine: str) -> None:
    [found] = judged([Installed(engine, OLD[engine])])
    assert "At /v1" in found.why
    assert found.why.endswith(floors.shield_of(engine))


@pytest.mark.parametrize("engine", [floors.LITELLM, floors.STREAMLIT])
def test_of_what_no_gateway_stands_before_nothing_is_claimed(engine: str) -> None:
    assert floors.shield_of(engine) == ""
    [found] = judged([Installed(engine, "1.0.0")])
    assert "/v1" not in found.why


def test_an_engine_that_is_new_enough_is_no_finding() -> None:
    assert judged([Installed(floors.LLAMACPP, "b99999")]) == []
