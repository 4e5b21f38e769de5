"""How full the conversation is, seen on the page, and what is offered when it is too full."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.berth import lay_fake, running_berth
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "4") as engine:
        yield engine


@pytest.fixture
def berth(home: Path, fake: Running) -> Iterator[Server]:
    with running_berth(home) as server:
        lay_fake(home, fake)
        yield server


def ask(page: Page, text: str) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def test_the_meter_fills_without_moving_the_page_and_warns(
    page: Page, berth: Server, fake: Running
) -> None:
    page.goto(f"{berth.url}/Chat")
    meter = page.locator(".st-key-context-meter")
    expect(meter).to_have_text("")
    expect(
        page.get_by_role("button", name="Settings")
    ).to_be_visible()  # the meter stands beside it
    page.wait_for_timeout(300)
    room = meter.bounding_box()
    fake.behave(prompt_tokens=1200)
    ask(page, "A question")
    expect(meter).to_contain_text("1,204 of 4,096 tokens")
    assert meter.bounding_box() == room
    expect(page.get_by_role("alert")).to_have_count(0)
    fake.behave(prompt_tokens=3300)
    ask(page, "Another question")
    expect(meter).to_contain_text("3,304 of 4,096 tokens")
    expect(page.get_by_role("alert")).to_contain_text("close to what the model can hold")
    fake.behave(prompt_tokens=4000)
    ask(page, "A third question")
    expect(page.get_by_role("alert")).to_contain_text("next message would not fit")
    page.get_by_test_id("stCaptionContainer").get_by_role("button").hover()
    expect(page.get_by_text("context length", exact=False)).to_be_visible()


def test_a_conversation_that_is_too_long_offers_ways_out(
    page: Page, berth: Server, fake: Running
) -> None:
    page.goto(f"{berth.url}/Chat")
    ask(page, "The first question")
    expect(page.get_by_text("first token")).to_be_visible()
    fake.behave(context=5)
    ask(page, "One two three four five six")
    expect(page.get_by_role("alert").first).to_contain_text("a context of 5")
    expect(page.get_by_role("link", name="Load it larger")).to_be_visible()
    page.get_by_role("button", name="Delete the first question").click()
    expect(page.get_by_text("The first question", exact=True).filter(visible=True)).to_have_count(1)
    fake.behave(context=4096)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("first token")).to_be_visible()
    assert "first" not in str(fake.record()[-1]["body"]["messages"])
