"""Other names of models, as their own engines take them."""

import pytest

from lib.engines.aliases import named
from lib.engines.base import Model, State

OLLAMA = Model(name="llama3.2:latest", engine="ollama", state=State.STOPPED)
BUILT_IN = Model(name="starter", engine="llamacpp", state=State.STOPPED)
SLOTS = [
    Model(name=f"org/big@slot-{number}", engine="vllm", state=state)
    for number, state in enumerate((State.STOPPED, State.READY))
]
EVERY = [OLLAMA, BUILT_IN, *SLOTS]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("llama3.2:latest", "llama3.2:latest"),
        ("llama3.2", "llama3.2:latest"),
        ("LLAMA3.2", "llama3.2:latest"),
        ("library/llama3.2", "llama3.2:latest"),
        ("starter", "starter"),
        ("org/big@slot-0", "org/big@slot-0"),
        ("org/big", "org/big@slot-1"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(asked: str, found: str) -> None:
    model = named(asked, EVERY)
    assert model is not None
    assert model.name == found


@pytest.mark.parametrize("asked", ["Starter", "starter:latest", "llama3.2:1b", "org", "big", ""])
def test_what_is_no_name_of_it_finds_nothing(asked: str) -> None:
    assert named(asked, EVERY) is None


def test_the_exact_name_goes_before_a_running_model_that_also_goes_by_it() -> None:
    exact = Model(name="llama3.2", engine="llamacpp", state=State.STOPPED)
    running = OLLAMA.model_copy(update={"state": State.READY})
    assert named("llama3.2", [running, exact]) == exact
