"""Conversations in the browser's storage: kept, found, shared between tabs, and never trusted."""

import json
import re
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Download, Locator, Page, WebSocket, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

DAY_MILLISECONDS = 86_400_000
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FIGURES = re.compile("first token")


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    """A chat page that remembers nothing yet."""
    fake.behave(tokens=20, gap_ms=0, prefill_ms=0, text="")
    page.goto(f"{server.url}/Chat")
    expect(page.get_by_role("button", name="New chat")).to_be_visible()
    return page


def ask(page: Page, text: str) -> None:
    """Type a message, send it and wait for the end of the reply."""
    before = page.get_by_text(FIGURES).count()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(FIGURES)).to_have_count(before + 1)


def said(page: Page) -> list[str]:
    """The text of each message."""
    shown = page.get_by_test_id("stChatMessage").filter(visible=True)
    return shown.get_by_test_id("stChatMessageContent").all_inner_texts()


def titles(page: Page) -> list[str]:
    return page.locator(".berth-title").all_inner_texts()


def row(page: Page, title: str) -> Locator:
    return page.locator(".berth-row").filter(has=page.get_by_text(title, exact=True))


def act(page: Page, title: str, action: str) -> None:
    """Choose an action from a conversation's menu."""
    page.get_by_role("button", name=f"Actions for {title}").click()
    row(page, title).get_by_role("button", name=action, exact=True).click()


def stored(page: Page) -> list[dict[str, Any]]:
    """What the storage holds: each meta with its document."""
    found: list[dict[str, Any]] = page.evaluate(
        """Object.keys(localStorage).filter(key => key.startsWith("berth:m:")).map(key => ({
            ...JSON.parse(localStorage[key]),
            document: localStorage[key.replace(":m:", ":c:")],
        }))"""
    )
    return found


def lay(page: Page, number: int, title: str, text: str, days_ago: float = 0, **meta: Any) -> str:
    """Put a conversation of two messages into the storage, as if it had been held long ago."""
    turns = [{"role": "user", "content": title}, {"role": "assistant", "content": text}]
    document = json.dumps({"version": 1, "turns": turns}, ensure_ascii=False)
    known = {"id": f"{number:032x}", "title": title, "rev": "laid", "n": len(document)}
    known["ts"] = time.time() * 1e3 - days_ago * DAY_MILLISECONDS
    page.evaluate(
        """([id, meta, text]) => {
            localStorage.setItem(`berth:c:${id}`, text);
            localStorage.setItem(`berth:m:${id}`, JSON.stringify(meta));
        }""",
        [known["id"], {**known, **meta}, document],
    )
    return str(known["id"])


def test_a_conversation_survives_a_reload_and_a_restart_of_the_server(
    page: Page, home: Path, fake: Running
) -> None:
    fake.behave(tokens=20, gap_ms=0)
    with running_server(home) as server:
        lay_fake(home, fake)
        page.goto(f"{server.url}/Chat")
        ask(page, "What is kept?")
        ask(page, "And this?")
        page.reload()
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
        page.reload()
        expect(page.get_by_text(FIGURES)).to_have_count(2)
        assert said(page) == before
        ask(page, "Goes on?")
        expect(page.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(6)
        assert len(stored(page)) == 1


def test_saving_costs_no_run_of_its_own(chat: Page) -> None:
    ask(chat, "First")
    chat.wait_for_timeout(500)
    sockets: list[WebSocket] = []
    chat.on("websocket", lambda socket: sockets.append(socket))
    chat.reload()
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
    chat.reload()
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
    chat.reload()
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
    chat.reload()
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
    chat.reload()
    chat.get_by_text("Recently deleted (1)").click()
    chat.get_by_role("button", name="Restore").click()
    chat.get_by_role("button", name="To be lost", exact=True).click()
    expect(chat.get_by_text(FIGURES)).to_be_visible()
    assert len(stored(chat)) == 1


def saved(download: Download) -> str:
    return Path(download.path()).read_text(encoding="utf-8")


def test_what_is_exported_can_be_imported_and_overwrites_nothing(
    chat: Page, tmp_path: Path
) -> None:
    ask(chat, "Round trip ⛵")
    with chat.expect_download() as one:
        act(chat, "Round trip ⛵", "Export as Markdown")
    text = saved(one.value)
    assert text.startswith("# Round trip ⛵\n\n**You**\n\nRound trip ⛵\n\n**fake**\n\nt0 t1 ")
    with chat.expect_download() as every:
        chat.get_by_role("button", name="Export all").click()
    exported = tmp_path / "all.json"
    exported.write_text(saved(every.value), encoding="utf-8")
    before = stored(chat)
    chat.locator("input[type=file][accept*=json]").set_input_files(exported)
    expect(chat.get_by_text("Imported 1 conversation.")).to_be_visible()
    expect(chat.locator(".berth-title")).to_have_text(["Round trip ⛵"] * 2)
    after = stored(chat)
    assert before[0] in after
    assert len({one["id"] for one in after}) == 2
    turns = [json.loads(one["document"])["turns"] for one in after]
    assert turns[0] == turns[1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        '{"format": "berth-conversations", "version": 1, "conversations": [{"docu',
        "[]",
        '{"format": "something else"}',
        '{"format":"berth-conversations","version":1,"conversations":[{"document":{"turns":7}}]}',
    ],
)
def test_a_file_that_cannot_be_imported_gets_a_sentence(
    chat: Page, tmp_path: Path, content: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content, encoding="utf-8")
    chat.locator("input[type=file][accept*=json]").set_input_files(bad)
    expect(chat.get_by_role("alert")).to_contain_text("Choose a JSON file")
    assert stored(chat) == []


def test_a_hostile_import_is_shown_as_text_and_nothing_more(chat: Page, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    turns = [
        {"role": "user", "content": f"{evil}\0 \u202e reversed"},
        {"role": "assistant", "content": f"{evil} ![p](http://127.0.0.1:9/pixel.png) the-end"},
        {"role": "assistant", "content": "twice", "reply": "a" * 32, "model": f"{evil}![p](q)"},
        {
            "role": "assistant",
            "content": "twice",
            "reply": "a" * 32,
            "state": "loading",
            "figures": {"tokens_per_second": 1e300, "finish_reason": evil},
            "problem": {"message": f"![p](http://127.0.0.1:9/pixel.png) {evil}", "fix": ""},
        },
    ]
    entry = {"title": f"\u202e{evil}" + "x" * 10_000, "ts": 0, "document": {"turns": turns}}
    bundle = {"format": "berth-conversations", "version": 1, "conversations": [entry]}
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    wanted: list[str] = []
    chat.on("request", lambda request: wanted.append(request.url))
    chat.locator("input[type=file][accept*=json]").set_input_files(file)
    title = chat.locator(".berth-title")
    expect(title).to_have_count(1)
    assert len(title.inner_text()) == 120
    assert "\u202e" not in title.inner_text()
    title.click()
    expect(chat.get_by_text("the-end")).to_be_visible()
    expect(chat.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(4)
    assert chat.title() != "taken"
    assert chat.get_by_test_id("stChatMessage").locator("img").count() == 0
    assert not [url for url in wanted if "pixel" in url]
    assert chat.get_by_test_id("stException").count() == 0
    ask(chat, "Goes on")


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


def test_two_hundred_conversations_are_listed_in_pages(chat: Page) -> None:
    for number in range(200):
        lay(chat, number, f"Chat {number}", "text", days_ago=number / 10)
    chat.reload()
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
            chat.reload()
            expect(chat.get_by_test_id("stChatInput")).to_be_visible()
            if name == "phone" and scheme == "light":
                chat.get_by_test_id("stExpandSidebarButton").click()
            expect(chat.locator(".berth-title")).to_have_count(3)
            chat.get_by_role("button", name="Actions for A plan for the harbour").click()
            chat.wait_for_timeout(400)
            chat.screenshot(path=PICTURES / f"history-{name}-{scheme}.png")
            assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")
    chat.locator(".berth-title").first.click()
    expect(chat.get_by_text("Some text about boats")).to_be_in_viewport()
    expect(chat.get_by_role("button", name="New chat")).not_to_be_in_viewport()
