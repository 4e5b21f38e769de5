"""How long a page waits for children that hang while they load."""

import time

import pytest

from lib.core.errors import EngineError
from lib.engines.llamacpp import props
from tests.support.hung import hung_server

ONE, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(props, "_silent_until", {})


def test_one_that_hangs_is_asked_once_in_a_while() -> None:
    with hung_server() as server:
        url = f"http://{server.host}"
        for _ in range(5):
            with pytest.raises(EngineError):
                props.ask_quickly(url, None)
        assert server.paths == ["/props"]


def test_three_that_hang_cost_a_page_half_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    first = props._patience(ONE, now)
    monkeypatch.setattr(props, "_silent_until", {ONE: now + 3})
    with pytest.raises(EngineError, match="did not answer just now"):
        props._patience(ONE, now)
    assert first + 2 * props._patience(OTHER, now) <= 0.5
    assert props._patience(OTHER, now + 3.1) == first


def test_after_a_while_it_is_given_its_time_again() -> None:
    props._silent_until[ONE] = time.monotonic() - 1
    assert props._patience(ONE, time.monotonic()) == props.ASK_SECONDS
