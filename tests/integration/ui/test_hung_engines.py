"""Pages while an engine hangs: each is drawn, with what was known, and waits for a moment at most.

What a page waits for is added up from what it was ready to wait, not from a clock.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.engines.ollama import api as ollama_api
from lib.engines.ollama.questions import Questions
from lib.engines.vllm import ENGINE as VLLM
from lib.engines.vllm import addresses, watch
from tests.conftest import ROOT
from tests.support.hung import Hung, hung_server

PAGES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py"))]
MOST_SECONDS = 0.5
DRAWN_SECONDS = 60  # as long as the slowest machine may need, without a look at an engine


class Counted(threading.Condition):
    """Knows how long everybody was ready to wait; each wait counts whole, however short it was."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds += float("inf") if timeout is None else timeout
        return super().wait(timeout)


@pytest.fixture
def server() -> Iterator[Hung]:
    with hung_server() as one:
        yield one


def drawn(path: Path) -> AppTest:
    page = AppTest.from_file(path, default_timeout=DRAWN_SECONDS)
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_waits_hardly_for_an_ollama_that_hangs(
    path: Path, server: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, waits = Questions(), Counted()
    asking._changed = waits
    monkeypatch.setattr(ollama_api, "QUESTIONS", asking)
    monkeypatch.setattr(ollama_api, "QUESTION_SECONDS", 600.0)
    monkeypatch.setenv("OLLAMA_HOST", server.host)
    drawn(path)
    assert server.was_asked.wait(60)
    assert server.holds == len(server.paths) > 0, "it still holds what the page has asked"
    assert waits.seconds <= MOST_SECONDS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_waits_hardly_for_a_server_elsewhere_that_hangs(
    path: Path, server: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, waits = watch.Watcher(), Counted()
    watcher._changed = waits
    monkeypatch.setattr(VLLM, "_watcher", watcher)
    monkeypatch.setattr("lib.engines.vllm.answers.QUICK_SECONDS", 600.0)
    addresses.add("lab", f"http://{server.host}/v1")
    drawn(path)
    assert server.was_asked.wait(60)
    assert server.holds == len(server.paths) > 0
    assert waits.seconds <= MOST_SECONDS
