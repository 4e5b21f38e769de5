"""The list of conversations: kept, found, renamed, deleted and brought back."""

import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, WebSocket, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake
from tests.support.browser import reload
from tests.support.fake_engine import Running
from tests.support.history import DAY_MILLISECONDS, FIGURES, act, ask, lay, said, stored, titles
from tests.support.server import running_server

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_a_conversation_survives_a_reload_and_a_restart_of_the_server(
    page: Page, home: Path, fake: Running
) -> None:
    fake.behave(tokens=20, gap_ms=0)
    with running_server(home) as server:
        lay_fake(home, fake)
        page.goto(f"{server.url}/Chat")
        ask(page, "What is kept?")
        ask(page, "And this?")
        reload(page)
        expect(page.get_by_text(FIGURES)).to_have_count(2)
        before = said(page)
    for spool in (home / "replies").iterdir():
        spool.unlink()  # the browser's copy alone has to do
    with running_server(home, port=server.port) as server:
        page.goto(f"{server.url}/Chat")
        page.get_by_role("button", name="What is kept?", exact=True).click()
        expect(page.get_by_text(FIGURES)).to_have_count(2)
        assert said(page) == before
        assert "?c=" in page.url
        reload(page)
        expect(page.get_by_text(FIGURES)).to_have_count(2)
        assert said(page) == before
        ask(page, "Goes on?")
        expect(page.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(6)
        assert len(stored(page)) == 1


def test_saving_costs_no_run_of_its_own(chat: Page, fake: Running) -> None:
    fake.behave(gap_ms=50)  # a reply that is over at once is drawn by the run that asked for it
    ask(chat, "First")
    chat.wait_for_timeout(500)
    sockets: list[WebSocket] = []
    chat.on("websocket", lambda socket: sockets.append(socket))
    reload(chat)
    expect(chat.get_by_text(FIGURES)).to_be_visible()
    chat.wait_for_timeout(500)
    socket = next(s for s in sockets if "_stcore" in s.url)
    frames: list[bytes | str] = []
    socket.on("framesent", lambda frame: frames.append(frame))
    ask(chat, "Second")
    chat.wait_for_timeout(500)
    assert len(frames) == 2  # the message, and that the reply is over


def test_the_list_is_grouped_by_day_and_marks_the_open_one(chat: Page) -> None:
    for number, (title, days) in enumerate(
        [("Old", 30), ("Last week", 3), ("Before", 1), ("Now", 0)]
    ):
        lay(chat, number, title, "text", days)
    lay(chat, 9, "Important", "text", 90, pinned=True)
    reload(chat)
    expect(chat.locator(".berth-day")).to_have_text(
        ["Pinned", "Today", "Yesterday", "Previous 7 days", "Earlier"]
    )
    assert titles(chat) == ["Important", "Now", "Before", "Last week", "Old"]
    chat.get_by_role("button", name="Before", exact=True).click()
    expect(chat.locator(".berth-title[aria-current]")).to_have_text("Before")
    expect(chat.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(2)


def test_search_finds_what_was_said_and_shows_where(chat: Page) -> None:
    lay(chat, 1, "Cooking", "Take a Bay Leaf and wait, said the “cook”")
    lay(chat, 2, "Sailing", "The wind is in the north")
    lay(chat, 3, "North Pole", "Cold")
    reload(chat)
    expect(chat.locator(".berth-title")).to_have_count(3)
    search = chat.get_by_role("searchbox")
    search.fill("bay leaf")
    expect(chat.locator(".berth-title")).to_have_text(["Cooking"])
    expect(chat.locator(".berth-snippet")).to_contain_text("Take a Bay Leaf and")
    search.fill("north")
    expect(chat.locator(".berth-title")).to_have_count(2)
    search.fill("role")  # a word of the stored form, not of any conversation
    expect(chat.get_by_text("Nothing found.")).to_be_visible()
    search.fill("")
    expect(chat.locator(".berth-title")).to_have_count(3)


def test_rename_and_pin_last(chat: Page) -> None:
    ask(chat, "A first title")
    lay(chat, 1, "Another", "text")
    act(chat, "A first title", "Rename")
    chat.get_by_role("textbox", name="Title").fill("Boats <b>and</b> harbours")
    chat.get_by_role("textbox", name="Title").press("Enter")
    act(chat, "Another", "Pin")
    expect(chat.locator(".berth-day")).to_have_text(["Pinned", "Today"])
    ask(chat, "More")
    reload(chat)
    expect(chat.locator(".berth-title")).to_have_text(["Another", "Boats <b>and</b> harbours"])
    expect(chat.get_by_text(FIGURES)).to_have_count(2)


def test_what_is_deleted_can_be_brought_back_for_a_day(chat: Page) -> None:
    ask(chat, "To be lost")
    act(chat, "To be lost", "Delete")
    expect(chat.locator(".berth-title")).to_have_count(0)
    expect(chat.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(0)
    chat.get_by_role("button", name="Undo").click()
    expect(chat.locator(".berth-title")).to_have_text(["To be lost"])
    act(chat, "To be lost", "Delete")
    lay(chat, 1, "Long gone", "text", deleted=time.time() * 1e3 - 2 * DAY_MILLISECONDS)
    reload(chat)
    chat.get_by_text("Recently deleted (1)").click()
    chat.get_by_role("button", name="Restore").click()
    chat.get_by_role("button", name="To be lost", exact=True).click()
    expect(chat.get_by_text(FIGURES)).to_be_visible()
    assert len(stored(chat)) == 1


def test_two_hundred_conversations_are_listed_in_pages(chat: Page) -> None:
    for number in range(200):
        lay(chat, number, f"Chat {number}", "text", days_ago=number / 10)
    reload(chat)
    expect(chat.locator(".berth-title")).to_have_count(30)
    chat.get_by_role("button", name="Show more").click()
    expect(chat.locator(".berth-title")).to_have_count(60)


def test_the_list_can_be_used_on_a_phone_and_in_the_dark(chat: Page) -> None:
    for number, title in enumerate(["A plan for the harbour", "مرحبا بالعالم", "Long " * 30]):
        lay(chat, number, title, "Some text about boats and the sea", days_ago=number)
    for name, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
        chat.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            chat.emulate_media(color_scheme=scheme)
            reload(chat)
            expect(chat.get_by_test_id("stChatInput")).to_be_visible()
            if name == "phone":  # closed after every load
                chat.get_by_test_id("stExpandSidebarButton").click()
            expect(chat.locator(".berth-title")).to_have_count(3)
            chat.get_by_role("button", name="Actions for A plan for the harbour").click()
            chat.wait_for_timeout(400)
            chat.screenshot(path=PICTURES / f"history-{name}-{scheme}.png")
            assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")
    chat.locator(".berth-title").first.click()
    expect(chat.get_by_text("Some text about boats")).to_be_in_viewport()
    expect(chat.get_by_role("button", name="New chat")).not_to_be_in_viewport()
