"""Conversations in the browser's storage: shared by tabs, saved late, damaged, full."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.fake_engine import Running
from tests.support.history import FIGURES, ask, lay, said, saved, stored, titles
from tests.support.server import Server


@pytest.mark.parametrize(
    ("meta", "document"),
    [
        ("{}", "{}"),
        ('{"title": {"a": 1}, "ts": "soon", "n": -1, "pinned": "no"}', "[]"),
        ('{"title": "x", "ts": 1e308}', "\0"),
        ("null", "null"),
        ('"text"', "1"),
        ("{", "{"),
    ],
)
def test_damaged_storage_harms_nothing(chat: Page, meta: str, document: str) -> None:
    lay(chat, 1, "Sound", "text")
    chat.evaluate(
        """([meta, document]) => {
            localStorage.setItem("berth:m:" + "b".repeat(32), meta);
            localStorage.setItem("berth:c:" + "b".repeat(32), document);
            localStorage.setItem("berth:m:<img>", meta);
        }""",
        [meta, document],
    )
    chat.reload()
    expect(chat.get_by_role("button", name="Sound", exact=True)).to_be_visible()
    for at in range(chat.locator(".berth-title").count()):
        chat.locator(".berth-title").nth(at).click()
        chat.wait_for_timeout(200)
    chat.get_by_role("searchbox").fill("text")
    expect(chat.locator(".berth-title").first).to_be_visible()
    assert chat.get_by_test_id("stException").count() == 0
    ask(chat, "Still works")


def test_two_tabs_keep_what_both_said(chat: Page) -> None:
    ask(chat, "Common beginning")
    other = chat.context.new_page()
    other.goto(chat.url)
    expect(other.get_by_text(FIGURES)).to_have_count(1)
    ask(other, "Said in the second tab")
    ask(chat, "Said in the first tab")
    expect(chat.get_by_text("continued in another tab")).to_be_visible()
    shown = chat.get_by_test_id("stChatMessage").filter(visible=True)
    expect(shown.filter(has_text="Said in the first tab")).to_have_count(1)
    chat.wait_for_function(
        """() => Object.values(localStorage).some(text =>
            text.includes("Said in the first tab") && text.includes("Said in the second tab"))"""
    )
    assert len(stored(chat)) == 1
    other.close()


def test_two_tabs_that_watch_the_same_reply_stay_one_conversation(
    chat: Page, fake: Running
) -> None:
    fake.behave(tokens=60, gap_ms=50)
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Watched twice")
    box.press("Enter")
    expect(chat.get_by_text("t5 ", exact=False).first).to_be_visible()
    other = chat.context.new_page()
    other.goto(chat.url)
    expect(other.get_by_text(FIGURES)).to_have_count(1)
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    fake.behave(gap_ms=0, tokens=20)
    ask(chat, "And on")
    assert [one["title"] for one in stored(chat)] == ["Watched twice"]
    other.close()


def test_a_save_that_got_lost_is_made_good(chat: Page, fake: Running) -> None:
    ask(chat, "First")
    [before] = stored(chat)
    fake.behave(text="Kept after all")
    ask(chat, "Second")
    chat.wait_for_function(
        "() => Object.values(localStorage).some(text => text.includes('after all'))"
    )
    earlier = {**before, "waits": True}
    document = earlier.pop("document")
    chat.evaluate(
        """([id, meta, document]) => {
            localStorage.setItem(`berth:c:${id}`, document);
            localStorage.setItem(`berth:m:${id}`, JSON.stringify(meta));
        }""",
        [before["id"], earlier, document],
    )
    chat.wait_for_function(
        "() => Object.values(localStorage).some(text => text.includes('after all'))"
    )
    assert [one["waits"] for one in stored(chat)] == [False]


def test_a_reply_that_ends_without_its_page_is_saved_by_the_next_visit(
    chat: Page, server: Server, fake: Running
) -> None:
    fake.behave(tokens=40, gap_ms=20)
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Left alone")
    box.press("Enter")
    expect(chat.get_by_text("t3 ", exact=False).first).to_be_visible()
    chat.goto("about:blank")
    while fake.record()[-1]["ended"] == "running":
        chat.wait_for_timeout(50)
    chat.goto(f"{server.url}/Chat")
    chat.wait_for_function(
        """() => Object.keys(localStorage).some(key =>
            key.startsWith("berth:c:") && localStorage[key].includes("t39"))"""
    )
    assert [one["waits"] for one in stored(chat)] == [False]
    chat.get_by_role("button", name="Left alone", exact=True).click()
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    assert len(said(chat)) == 2


def fill_storage(page: Page) -> None:
    """Leave no room for anything."""
    page.evaluate(
        """() => {
            for (let size = 1 << 22; size >= 1; size >>= 1) {
                try {
                    for (let n = 0; ; n++)
                        localStorage.setItem(`other:${size}:${n}`, "x".repeat(size));
                } catch {}
            }
        }"""
    )


def empty_storage(page: Page) -> None:
    """Take away what `fill_storage` has laid."""
    page.evaluate(
        """() => {
            for (const key of Object.keys(localStorage))
                if (key.startsWith("other:")) localStorage.removeItem(key);
        }"""
    )


def test_a_full_storage_is_told_and_the_text_can_be_exported_or_saved_later(chat: Page) -> None:
    ask(chat, "Saved")
    before = stored(chat)
    fill_storage(chat)
    ask(chat, "No room for this")
    expect(chat.get_by_role("alert")).to_contain_text("is full")
    assert stored(chat) == before
    with chat.expect_download() as export:
        chat.get_by_test_id("stDownloadButton").get_by_role("button").click()
    assert "No room for this" in saved(export.value)
    chat.get_by_role("button", name="New chat").click()
    expect(chat.get_by_role("alert")).to_contain_text("is full")
    empty_storage(chat)
    chat.get_by_role("button", name="Save again").click()
    expect(chat.get_by_role("alert")).to_have_count(0)
    assert "No room for this" in stored(chat)[0]["document"]


def test_near_the_limit_the_oldest_can_be_deleted_for_room(chat: Page) -> None:
    for number in range(9):
        lay(chat, number, f"Chat {number}", "x" * 520_000, days_ago=number, pinned=number == 8)
    chat.reload()
    expect(chat.get_by_text("Storage is almost full")).to_be_visible()
    chat.get_by_role("button", name="Delete the 3 oldest for good").click()
    chat.get_by_role("button", name="Yes, delete the 3 oldest for good").click()
    expect(chat.get_by_text("Storage is almost full")).to_have_count(0)
    assert titles(chat) == ["Chat 8", "Chat 0", "Chat 1", "Chat 2", "Chat 3", "Chat 4"]
