"""A long conversation is stored in parts, so that a save costs what it does in a short one."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from lib.chat.conversations import Document, Turn, said
from tests.support.fake_engine import Running
from tests.support.history import FIGURES, saved
from tests.support.server import Server

TALK = "c" * 32
MESSAGES = 60
LENGTH = 4_000  # characters of each answer
LARGEST_SAVE = 80_000
WATCH = """() => {
    window.written = [];
    const { setItem } = Storage.prototype;
    Storage.prototype.setItem = function (key, text) {
        written.push([key, text.length]);
        return setItem.call(this, key, text);
    };
}"""


def talk() -> Document:
    turns: list[Turn] = []
    for number in range(MESSAGES):
        above = turns[-1]["id"] if turns else ""
        text = f"Answer {number} " + "x " * (LENGTH // 2) if number % 2 else f"Question {number}"
        turns.append(said("assistant" if number % 2 else "user", text, parent=above))
    return Document(turns=turns)


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    """A page on a conversation in the form of earlier versions: one text."""
    fake.afresh().behave(tokens=5, gap_ms=0, prefill_ms=0)
    text = talk().text()
    meta = {"id": TALK, "title": "Long", "rev": "laid", "ts": 1, "n": len(text)}
    page.goto(f"{server.url}/Chat")
    page.evaluate(
        """([id, meta, text]) => {
            localStorage.setItem(`berth:c:${id}`, text);
            localStorage.setItem(`berth:m:${id}`, meta);
        }""",
        [TALK, json.dumps(meta), text],
    )
    page.goto(f"{server.url}/Chat?c={TALK}")
    expect(shown(page).last).to_contain_text(f"Answer {MESSAGES - 1}")
    return page


def shown(page: Page) -> Locator:
    return page.get_by_test_id("stChatMessage").filter(visible=True)


def ask(page: Page, text: str, answers: int) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(FIGURES)).to_have_count(answers)
    page.wait_for_function(
        "([id]) => JSON.parse(localStorage[`berth:m:${id}`]).waits === false", arg=[TALK]
    )


def exported(page: Page) -> list[dict[str, object]]:
    """The conversation's turns as “Export all” has them."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all").click()
    [one] = json.loads(saved(download.value))["conversations"]
    found: list[dict[str, object]] = one["document"]["turns"]
    return found


def test_one_text_becomes_parts_and_nothing_is_lost(chat: Page) -> None:
    ask(chat, "And now?", 1)
    parts = chat.evaluate("Object.keys(localStorage).filter(key => key.startsWith('berth:p:'))")
    assert len(parts) > 1
    wanted = [turn["content"] for turn in talk().turns]
    found = [turn["content"] for turn in exported(chat)]
    assert found[:MESSAGES] == wanted
    assert len(found) == MESSAGES + 2 and found[MESSAGES] == "And now?"
    chat.reload()
    expect(shown(chat).last).to_contain_text("t4")
    assert [turn["content"] for turn in exported(chat)] == found


def test_a_save_writes_the_end_alone(chat: Page) -> None:
    ask(chat, "And now?", 1)
    chat.evaluate(WATCH)
    ask(chat, "And then?", 2)
    every = [(key, size) for key, size in chat.evaluate("written") if key.startswith("berth:")]
    written = [(key, size) for key, size in every if key != "berth:asked"]  # for this tab alone
    assert {key for key, _ in written} == {f"berth:c:{TALK}", f"berth:m:{TALK}"}
    assert max(size for _, size in written) < LARGEST_SAVE


def test_an_early_message_is_deleted_where_it_stands(chat: Page) -> None:
    ask(chat, "And now?", 1)
    more = chat.get_by_role("button", name="earlier message")
    more.click()
    expect(more).to_have_count(0)
    shown(chat).nth(1).get_by_role("button", name="Delete question and answer").click()
    expect(chat.get_by_role("button", name="Undo")).to_be_visible()
    chat.wait_for_function(
        "([id]) => !localStorage[`berth:p:${id}:0`].includes('Answer 1 ')", arg=[TALK]
    )
    found = exported(chat)
    assert len(found) == MESSAGES + 2
    assert [bool(turn.get("gone")) for turn in found] == [True, True] + [False] * MESSAGES


def test_a_conversation_in_parts_is_searched_and_erased_whole(chat: Page) -> None:
    ask(chat, "And now?", 1)
    chat.get_by_role("searchbox").fill("answer 3 x")
    expect(chat.locator(".berth-snippet")).to_contain_text("Answer 3 x")
    chat.get_by_role("searchbox").fill("")
    chat.get_by_role("button", name="Actions for Long").click()
    chat.get_by_role("button", name="Delete", exact=True).click()
    chat.get_by_text("Recently deleted (1)").click()
    chat.get_by_role("button", name="Delete these for good").click()
    expect(chat.get_by_text("Recently deleted")).to_have_count(0)
    assert chat.evaluate(f"Object.keys(localStorage).filter(key => key.includes('{TALK}'))") == []


def test_without_room_for_parts_it_stays_one_text(chat: Page) -> None:
    chat.evaluate(
        """() => {
            for (let size = 1 << 22; size >= 1 << 14; size >>= 1) {
                try {
                    for (let n = 0; ; n++)
                        localStorage.setItem(`other:${size}:${n}`, "x".repeat(size));
                } catch {}
            }
        }"""
    )
    ask(chat, "And now?", 1)
    expect(chat.get_by_text("is not saved")).to_have_count(0)
    assert (
        chat.evaluate("Object.keys(localStorage).some(key => key.startsWith('berth:p:'))") is False
    )
    assert len(exported(chat)) == MESSAGES + 2
