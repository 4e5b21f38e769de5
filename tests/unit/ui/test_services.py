"""Services as rows: each with its state in a word, and why not; what is not here is no row."""

import pytest

from lib.engines import all_engines
from lib.engines.base import Health, Model, State
from lib.hub.heard import Standing
from lib.ui.services import of_engine, of_hub

OLLAMA = all_engines()["ollama"]
DOWN = Health(up=False, is_stopped=True, problem="Ollama does not run.", fix="Run ollama serve.")
NOW = 1_700_000_000.0


def test_an_engine_that_is_up_is_ready_and_says_how_many_models_run() -> None:
    models = [
        Model(name=name, engine="ollama", state=state)
        for name, state in (("a", State.READY), ("b", State.STOPPED))
    ]
    found = of_engine(OLLAMA, Health(up=True, version="0.20.1"), models)
    assert (found.state, found.version, found.problem) == (State.READY, "0.20.1", "")
    assert found.about == "1 model running"


@pytest.mark.parametrize(
    ("health", "state"),
    [(DOWN, State.STOPPED), (Health(up=False, problem="It hangs.", fix="Wait."), State.FAILED)],
)
def test_one_that_is_down_is_stopped_or_failed_and_says_why(health: Health, state: State) -> None:
    found = of_engine(OLLAMA, health, [])
    assert (found.state, found.problem) == (state, f"{health.problem} {health.fix}")


def test_the_hub_is_told_as_it_was_heard_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert list(of_hub(Standing(), NOW)) == []  # nobody has asked, and nobody does
    [well] = of_hub(Standing(answered=NOW - 120, asked=NOW - 120), NOW)
    assert (well.service.state, well.service.about) == (
        State.READY,
        "hub.example · answered 2 min ago",
    )
    [ill] = of_hub(Standing(NOW - 7_200, NOW, "hub.example cannot be reached."), NOW)
    assert (ill.service.state, ill.service.problem) == (
        State.FAILED,
        "hub.example cannot be reached.",
    )
    assert ill.service.about == "hub.example · answered 2 h ago"


def test_a_hub_that_is_switched_off_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    [off] = of_hub(Standing(), NOW)
    assert off.service.state == State.STOPPED
    assert "HF_HUB_OFFLINE" in off.service.problem
