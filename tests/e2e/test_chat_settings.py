"""A conversation's settings in Chromium: what is set reaches the engine, and comes back."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake, running_berth
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server

FIGURES = re.compile("first token")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def fake() -> Iterator[Running]:
    with running_fake() as engine:
        yield engine


@pytest.fixture
def berth(home: Path, fake: Running) -> Iterator[Server]:
    with running_berth(home) as server:
        lay_fake(home, fake)
        yield server


@pytest.fixture
def chat(page: Page, berth: Server) -> Page:
    page.goto(f"{berth.url}/Chat")
    expect(page.get_by_test_id("stChatInput")).to_be_visible()
    return page


def opened(page: Page) -> Locator:
    """The dialog, open."""
    page.get_by_role("button", name="Settings", exact=False).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Done")).to_be_visible()
    return dialog


def done(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("dialog").get_by_label(label, exact=True)
    field.fill(value)
    field.press("Tab")


def ask(page: Page, text: str) -> None:
    before = page.get_by_text(FIGURES).count()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(FIGURES)).to_have_count(before + 1)


def sent(fake: Running) -> dict[str, Any]:
    """The body of the last request."""
    body: dict[str, Any] = fake.record()[-1]["body"]
    return body


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pictures(chat: Page, size: tuple[int, int], scheme: Any) -> None:
    chat.emulate_media(color_scheme=scheme)
    chat.set_viewport_size({"width": size[0], "height": size[1]})
    chat.reload()
    expect(chat.get_by_test_id("stChatInput")).to_be_visible()
    dialog = opened(chat)
    chat.wait_for_timeout(500)
    PICTURES.mkdir(exist_ok=True)
    chat.screenshot(path=PICTURES / f"settings-{size[0]}-{scheme}.png")
    fill(chat, "System prompt", "Be brief.")
    fill(chat, "Temperature", "0.2")
    fill(chat, "JSON schema", "{")
    fill(chat, "Seed", "-4")
    chat.wait_for_timeout(1000)
    chat.screenshot(path=PICTURES / f"settings-{size[0]}-{scheme}-2.png")
    dialog.get_by_role("button", name="Done").scroll_into_view_if_needed()
    chat.wait_for_timeout(300)
    chat.screenshot(path=PICTURES / f"settings-{size[0]}-{scheme}-3.png")
    done(chat)
    chat.wait_for_timeout(500)
    chat.screenshot(path=PICTURES / f"settings-{size[0]}-{scheme}-4.png")
