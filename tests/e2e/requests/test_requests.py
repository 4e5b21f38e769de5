"""A long reply runs, the owner sees it on the page and stops it, and the client's stream ends."""

import threading

import httpx
from playwright.sync_api import Page, expect

from tests.support.fake_engine import Running
from tests.support.gateway import HELLO
from tests.support.server import Server


class Client(threading.Thread):
    """A program that reads a stream to whatever end it has."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.url, self.said, self.is_broken = f"{server.url}/v1/chat/completions", "", False
        self.start()

    def run(self) -> None:
        asked = {**HELLO, "stream": True}
        with httpx.stream("POST", self.url, json=asked, timeout=60) as answer:
            try:
                for text in answer.iter_text():
                    self.said += text
            except httpx.RemoteProtocolError:
                self.is_broken = True


def test_a_reply_is_seen_and_stopped_from_the_page(
    page: Page, berth: Server, fake: Running
) -> None:
    fake.behave(tokens=100_000, gap_ms=20)
    page.goto(f"{berth.url}/Requests")
    expect(page.get_by_text("Nothing is being answered.")).to_be_visible()
    client = Client(berth)
    expect(page.get_by_text("Answering", exact=True)).to_be_visible()
    expect(page.get_by_text("/v1/chat/completions")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    client.join(10)
    assert not client.is_alive()
    assert client.is_broken
    assert "The owner of this machine stopped this request." in client.said
    fake.last_call("left")
    expect(page.get_by_text("Over", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()  # the log has its line
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert "stopped by the owner" in download.value.path().read_text("utf-8")
    assert download.value.suggested_filename.startswith("berth-requests-log-")
    expect(page.get_by_text("Over", exact=True)).to_have_count(0)
