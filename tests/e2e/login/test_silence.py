"""What an open page says when Berth ends, sleeps or is quit, and that it goes on by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.berth import lay_fake
from tests.support.browser import AT_REST
from tests.support.fake_engine import Running
from tests.support.server import Server

PAGES = ("", "Deploy", "Models", "Chat", "System", "Settings", "Connect", "Requests")


@contextmanager
def started(home: Path, port: int = 0) -> Iterator[Server]:
    """A server that a test may kill."""
    server = Server(home, port=port).wait_until_ready()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def said(page: Page) -> Locator:
    return page.locator("#berth-silence")


def says_nothing_of_streamlit(page: Page) -> None:
    assert "streamlit" not in page.inner_text("body").lower()
    assert "streamlit" not in page.title().lower()
    expect(page.get_by_text("Connection error")).to_have_count(0)
    expect(page.get_by_test_id("stStatusWidget")).to_be_hidden()


def test_a_page_says_that_berth_is_silent_and_goes_on_with_what_was_typed(
    page: Page, home: Path, fake: Running
) -> None:
    with started(home) as first:
        lay_fake(home, fake)
        page.goto(f"{first.url}/Chat")
        box = page.get_by_test_id("stChatInput").locator("textarea")
        box.fill("half a question")
        first.process.kill()
        first.process.wait()
        expect(said(page)).to_contain_text("Berth does not answer.")
        expect(said(page)).to_contain_text("goes on by itself")
        says_nothing_of_streamlit(page)
        page.screenshot(path="/tmp/launcher/silent.png")
    with started(home, first.port):
        expect(said(page)).to_have_text("Berth is back.")
        expect(said(page)).to_have_count(0)
        expect(box).to_be_enabled()
        page.wait_for_function(AT_REST)
        expect(box).to_have_value("half a question")
        page.screenshot(path="/tmp/launcher/back.png")
        box.press("Enter")
        expect(page.get_by_test_id("stChatMessage").first).to_contain_text("half a question")
        page.screenshot(path="/tmp/launcher/asked.png")
