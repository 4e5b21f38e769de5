"""What an open page says when Berth ends, hangs or is quit, and that it goes on by itself."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from lib.core import owner_key
from tests.e2e.conftest import PHONE, PICTURES
from tests.support.berth import lay_fake
from tests.support.browser import AT_REST
from tests.support.fake_engine import Running
from tests.support.guests import CODE, guests_url, lay_sharing
from tests.support.server import Server

PAGES = ("", "Deploy", "Models", "Chat", "System", "Settings", "Connect", "Requests")
BUILD = "document.querySelector('[name=berth-build]').content"
OLDER = f"() => {{ {BUILD} = 'older' }}"
HIDE_AND_SHOW = "() => document.dispatchEvent(new Event('visibilitychange'))"


@contextmanager
def started(home: Path, port: int = 0, world: dict[str, str] | None = None) -> Iterator[Server]:
    """A server that a test may end."""
    server = Server(home, world, port=port).wait_until_ready()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


def said(page: Page) -> Locator:
    return page.locator("#berth-silence")


def is_silent(page: Page) -> None:
    """It says so, and no word of what Berth is made with is seen."""
    expect(said(page)).to_contain_text("Berth does not answer.")
    expect(said(page)).to_contain_text("This page goes on by itself when it is back.")
    says_nothing_of_streamlit(page)


def says_nothing_of_streamlit(page: Page) -> None:
    assert "streamlit" not in page.inner_text("body").lower()
    assert "streamlit" not in page.title().lower()
    expect(page.get_by_text("Connection error")).to_have_count(0)
    expect(page.get_by_test_id("stStatusWidget")).to_be_hidden()


def goes_on(page: Page) -> None:
    expect(said(page)).to_have_count(0)
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-connection-state", "CONNECTED"
    )
    page.wait_for_function(AT_REST)


def test_a_page_says_that_berth_was_killed_and_goes_on_with_what_was_typed(
    page: Page, home: Path, fake: Running
) -> None:
    with started(home) as first:
        lay_fake(home, fake)
        page.goto(f"{first.url}/Chat")
        box = page.get_by_test_id("stChatInput").locator("textarea")
        box.fill("half a question")
        kill(first)
        is_silent(page)
        expect(said(page).locator("code")).to_contain_text("setup.sh")
        page.screenshot(path=PICTURES / "silent.png")
    with started(home, first.port):
        expect(said(page)).to_have_text("Berth is back.")
        goes_on(page)
        expect(box).to_be_enabled()
        expect(box).to_have_value("half a question")
        box.press("Enter")
        expect(page.get_by_test_id("stChatMessage").first).to_contain_text("half a question")


def test_every_page_says_so_and_goes_on(page: Page, home: Path) -> None:
    tabs = [page, *(page.context.new_page() for _ in PAGES[1:])]
    with started(home) as first:
        for tab, path in zip(tabs, PAGES, strict=True):
            tab.goto(f"{first.url}/{path}")
            tab.wait_for_function(AT_REST)
        kill(first)
        for tab in tabs:
            is_silent(tab)
    with started(home, first.port):
        for tab in tabs:
            goes_on(tab)
            says_nothing_of_streamlit(tab)


def test_streamlits_own_error_does_not_come_however_long_it_lasts(page: Page, home: Path) -> None:
    """It comes after six tries, each later than the last one: some 20 seconds."""
    page.clock.install()
    with started(home) as first:
        page.goto(first.url)
        page.wait_for_function(AT_REST)
        kill(first)
        is_silent(page)
        for _ in range(12):
            page.clock.run_for(10_000)
        is_silent(page)
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_berth_that_hangs_is_told_too_and_the_page_goes_on(page: Page, home: Path) -> None:
    """As after a sleep: the connection is open, and nobody is at its other end."""
    with started(home) as server:
        page.goto(server.url)
        page.wait_for_function(AT_REST)
        server.process.send_signal(signal.SIGSTOP)
        try:
            page.evaluate(HIDE_AND_SHOW)
            is_silent(page)
        finally:
            server.process.send_signal(signal.SIGCONT)
        goes_on(page)


def test_it_is_quit_from_its_page_and_goes_on_when_it_is_started(
    page: Page, home: Path, fake: Running, tmp_path: Path
) -> None:
    with started(home, world={"HOME": str(tmp_path)}) as first:
        lay_fake(home, fake)
        page.goto(f"{first.url}/Settings")
        page.get_by_role("button", name="Quit Berth", exact=True).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("fake goes on and keeps its memory.")
        page.screenshot(path=PICTURES / "quit.png")
        dialog.get_by_role("button", name="Quit Berth", exact=True).click()
        assert first.process.wait(20) == 0
        is_silent(page)
        expect(dialog).to_have_count(0)
        expect(page.get_by_text("Berth has been quit.")).to_be_visible()
        page.screenshot(path=PICTURES / "quitted.png")
        assert fake.process.poll() is None
    with started(home, first.port):
        goes_on(page)
        expect(page.get_by_role("heading", name="Start and quit")).to_be_visible()


def test_a_guest_is_told_without_a_command(page: Page, home: Path, fake: Running) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    lay_sharing(home)
    with started(home) as first:
        lay_fake(home, fake)
        url = guests_url(first)
        page.goto(url)
        page.get_by_label("Access code").fill(CODE)
        page.keyboard.press("Enter")
        expect(page.get_by_text("You are a guest here.")).to_be_attached()
        page.wait_for_function(AT_REST)
        kill(first)
        is_silent(page)
        expect(said(page)).to_contain_text("Its owner has stopped it or its sharing")
        expect(said(page).locator("code")).to_have_count(0)
        page.screenshot(path=PICTURES / "silent_guest.png")
    with started(home, first.port):
        goes_on(page)


def test_a_page_that_is_let_in_no_more_shows_why(page: Page, home: Path) -> None:
    with started(home) as first:
        page.goto(first.url)
        page.wait_for_function(AT_REST)
        kill(first)
        is_silent(page)
    owner_key.choose(True)
    with started(home, first.port):
        expect(page.get_by_text("Berth asks for its key here.")).to_be_visible()


def test_a_page_of_another_build_is_loaded_again(page: Page, home: Path) -> None:
    with started(home) as first:
        page.goto(first.url)
        page.wait_for_function(AT_REST)
        page.evaluate(OLDER)
        kill(first)
        is_silent(page)
    with started(home, first.port):
        page.wait_for_function(
            "() => document.querySelector('[name=berth-build]').content !== 'older'"
        )


def test_what_was_typed_is_not_lost_to_another_build(page: Page, home: Path, fake: Running) -> None:
    with started(home) as first:
        lay_fake(home, fake)
        page.goto(f"{first.url}/Chat")
        box = page.get_by_test_id("stChatInput").locator("textarea")
        box.fill("half a question")
        page.evaluate(OLDER)
        kill(first)
        is_silent(page)
    with started(home, first.port):
        expect(said(page)).to_contain_text("Berth was updated.")
        expect(page.get_by_test_id("stChatInput").locator("textarea")).to_have_value(
            "half a question"
        )
        page.get_by_role("button", name="Load the page again").click()
        expect(said(page)).to_have_count(0)
