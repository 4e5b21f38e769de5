"""The newcomer's way: one click, a download, a question, an answer. All of it real but the Hub."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lib.deploy.starter import STARTER
from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_starter, running_berth
from tests.support.fake_hub import FakeHub, Manner

DOWNLOAD_MILLISECONDS = 120_000
ANSWER_MILLISECONDS = 60_000
BYTES_PER_SECOND = 120_000_000  # slow enough to see the bar move


def ask(page: Page, text: str) -> None:
    """Type a message and send it."""
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def test_one_click_leads_to_the_first_answer(page: Page, home: Path, starter_file: Path) -> None:
    with FakeHub() as hub:
        hub.add(
            STARTER.repo,
            STARTER.revision,
            STARTER.filename,
            starter_file.read_bytes(),
            Manner(bytes_per_second=BYTES_PER_SECOND),
        )
        with running_berth(home, {"HF_ENDPOINT": hub.url}) as berth:
            page.goto(berth.url)
            page.get_by_role("button", name="Start with a small model").click()
            expect(page.get_by_text("Downloading", exact=False).first).to_be_visible()
            expect(page.get_by_text(re.compile(r"of 491 MB"))).to_be_visible()
            expect(page.get_by_text("Running", exact=True).last).to_be_visible()
            expect(page.get_by_text("Queued")).to_have_count(0)
            page.screenshot(path=PICTURES / "downloading.png")
            ready = page.locator(".st-key-starter")
            expect(ready).to_contain_text("Ready. It says:", timeout=DOWNLOAD_MILLISECONDS)
            expect(ready).to_contain_text("Paris")
            expect(page.get_by_text("Queued")).to_have_count(0)
            expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
            page.screenshot(path=PICTURES / "ready.png")
            ready.get_by_role("button", name="Chat").click()
            expect(page.get_by_test_id("stChatInput")).to_be_visible()
            ask(page, "What is the capital of France?")
            answer = page.get_by_test_id("stChatMessage").filter(visible=True).last
            expect(answer).to_contain_text("Paris", timeout=ANSWER_MILLISECONDS)
            expect(answer).to_contain_text("tok/s", timeout=ANSWER_MILLISECONDS)
            expect(answer).to_contain_text("first token")
            page.reload()
            expect(page.get_by_test_id("stChatMessage").filter(visible=True).last).to_contain_text(
                "Paris"
            )


def test_a_cancelled_download_says_so_and_goes_on_where_it_was(
    page: Page, home: Path, starter_file: Path
) -> None:
    with FakeHub() as hub:
        hub.add(
            STARTER.repo,
            STARTER.revision,
            STARTER.filename,
            starter_file.read_bytes(),
            Manner(bytes_per_second=20_000_000, times=1),
        )
        with running_berth(home, {"HF_ENDPOINT": hub.url}) as berth:
            page.goto(berth.url)
            page.get_by_role("button", name="Start with a small model").click()
            expect(page.get_by_text(re.compile(r"\d+ MB of 491 MB"))).to_be_visible()
            page.reload()
            expect(page.get_by_text(re.compile(r"\d+ MB of 491 MB"))).to_be_visible()
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_text("What has arrived is kept", exact=False)).to_be_visible()
            page.screenshot(path=PICTURES / "cancelled.png")
            page.get_by_role("button", name="Resume").click()
            chat = page.locator(".st-key-starter").get_by_role("button", name="Chat")
            chat.wait_for(timeout=DOWNLOAD_MILLISECONDS)
        ranges = [r.headers.get("Range", "") for r in hub.requests if r.method == "GET"]
        assert ranges[0] == ""
        assert re.fullmatch(r"bytes=[1-9]\d{5,}-", ranges[-1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_fits_its_screen(
    browser: Browser, home: Path, starter_file: Path, scheme: str, size: tuple[int, int]
) -> None:
    lay_starter(home, starter_file)
    with running_berth(home) as berth:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        for name, path in {"home": "/", "models": "/Models", "chat": "/Chat"}.items():
            page.goto(f"{berth.url}{path}")
            called = STARTER.name if name == "models" else "Qwen2.5 Coder 0.5B Instruct"
            expect(page.get_by_text(called).first).to_be_visible()
            page.screenshot(path=PICTURES / f"{name}-{size[0]}-{scheme}.png")
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{name} is {overflow} pixels wider than the screen"
        context.close()


def test_no_page_asks_anything_of_another_host(page: Page, home: Path, starter_file: Path) -> None:
    lay_starter(home, starter_file)
    with running_berth(home) as berth:
        foreign: list[str] = []
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((berth.url, "data:", "blob:"))
                else foreign.append(request.url)
            ),
        )
        for path in ("/", "/Models", "/Chat"):
            page.goto(f"{berth.url}{path}")
            page.wait_for_load_state("networkidle")
        assert foreign == []
