"""Long conversations and replies: only the newest is drawn, nothing is lost, all stays usable."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from lib.chat.conversations import Document, Turn, said
from tests.support.fake_engine import Running
from tests.support.server import Server

TALK = "c" * 32
MESSAGES = 500
SENT_BYTES = 90_000  # for a question and its answer: thirty messages' frames, twice
FIGURES = re.compile("first token")


def long_talk() -> str:
    turns: list[Turn] = []
    for number in range(MESSAGES):
        above = turns[-1]["id"] if turns else ""
        if number % 2:
            turns.append(said("assistant", f"Answer {number}", parent=above))
        else:
            turns.append(said("user", f"Question {number}", parent=above))
    return Document(turns=turns).text()


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    """A page on a conversation of 500 messages."""
    fake.behave(tokens=5, gap_ms=0, prefill_ms=0, text="", reply="", finish_reason="")
    text = long_talk()
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


def ask(page: Page, text: str) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def test_of_a_long_conversation_the_newest_messages_are_drawn(chat: Page) -> None:
    expect(shown(chat)).to_have_count(30)
    chat.get_by_role("button", name="Show 40 earlier messages of 470").click()
    expect(shown(chat)).to_have_count(70)
    expect(chat.get_by_text("Question 430", exact=True)).to_be_attached()
    expect(chat.get_by_role("button", name="Show 40 earlier messages of 430")).to_be_attached()


def test_its_model_is_told_all_of_it_and_its_save_is_small(chat: Page, fake: Running) -> None:
    frames: list[int] = []

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: frames.append(len(frame)))

    chat.on("websocket", watch)
    chat.reload()
    expect(shown(chat).last).to_contain_text(f"Answer {MESSAGES - 1}")
    frames.clear()
    ask(chat, "And now?")
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    assert len(fake.last_call("done")["body"]["messages"]) == MESSAGES + 1
    assert sum(frames) < SENT_BYTES, "the conversation itself is not sent again"
    stored = json.loads(chat.evaluate(f"localStorage['berth:c:{TALK}']"))
    assert len(stored["turns"]) == MESSAGES + 2
    assert stored["turns"][0]["content"] == "Question 0"


def test_a_reply_of_20_000_tokens_is_shown_whole(chat: Page, fake: Running) -> None:
    fake.behave(tokens=20_000, paragraph=40)
    ask(chat, "Write a book")
    expect(chat.get_by_text(FIGURES)).to_have_count(1, timeout=120_000)
    expect(chat.locator(".berth-live .berth-block")).to_have_count(0)
    words = re.findall(r"\bt\d+\b", shown(chat).last.inner_text())
    assert words == [f"t{number}" for number in range(20_000)]
    fake.behave(tokens=5)
    ask(chat, "And on")
    expect(chat.get_by_text(FIGURES)).to_have_count(2)
