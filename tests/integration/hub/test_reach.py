"""Whether the Hub is there: heard in passing, and asked only where that is long ago."""

import time

import pytest

from lib.core.errors import NetworkError
from lib.hub import api, heard, reach
from lib.hub.errors import Asked
from lib.hub.heard import Standing
from tests.support.hub_api import HubApi


@pytest.fixture(autouse=True)
def _nothing_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "_standing", Standing())


def test_any_answer_says_that_it_is_there(hub: HubApi) -> None:
    assert reach.look().answered == pytest.approx(time.time(), abs=60)
    assert heard.standing().problem == ""


def test_no_answer_is_told_with_its_reason_and_when_it_answered_last(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = reach.look().answered
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NetworkError) as refused:
        api.ask("/api/models", Asked())
    assert heard.standing().problem == str(refused.value)
    assert heard.standing().answered == answered


def test_what_was_heard_lately_is_not_asked_again(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach.look()
    monkeypatch.setattr(api, "ask", lambda *_, **__: 1 // 0)
    assert reach.look().answered > 0


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(), True),
        (Standing(1_000, 1_000), False),
        (Standing(300, 300), True),
        (Standing(0, 990, "no network"), False),
        (Standing(0, 900, "no network"), True),
    ],
)
def test_a_silent_hub_is_asked_again_sooner(standing: Standing, expected: bool) -> None:
    assert reach.is_old(standing, 1_000) is expected
