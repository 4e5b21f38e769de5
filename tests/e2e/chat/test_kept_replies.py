"""A reply that was drawn live stays the same part of the page, and its words are sent once."""

import json
import re

from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.support.browser import reload
from tests.support.fake_engine import Running
from tests.support.history import FIGURES, stored

PLAIN = (
    "## A head\n\nOne **bold** word.\n\n- first\n- second\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end"
)
RICH = "Before it\n\n```python\nx = 1\n```\n\nBetween them\n\n$$\ne = mc^2\n$$\n\nAfter it"
MARK = "block => { block.isTheSame = true; }"
IS_MARKED = "block => block.isTheSame === true"
FORGET = """async () => {
    const script = performance.getEntriesByType("resource")
        .find(({ name }) => name.endsWith("kept_replies.js"));
    const { keep } = await import(script.name);
    for (let n = 0; n < 40; n++) keep(`of no account ${n}`, { blocks: new Map() });
}"""


def message(page: Page) -> Locator:
    """The last one that can be seen."""
    shown = page.get_by_test_id("stChatMessage").filter(visible=True)
    return shown.last.get_by_test_id("stChatMessageContent")


def begin(page: Page, fake: Running, reply: str) -> None:
    """Ask, and wait until all but the last word is drawn."""
    fake.behave(reply=reply, hold_after=len(reply.split()) - 1)
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Go on")
    box.press("Enter")
    expect(page.locator(".berth-live .berth-block").last).to_contain_text(reply.split()[-2])


def mark(page: Page) -> None:
    for block in page.locator(".berth-live .berth-block").all():
        block.evaluate(MARK)


def end(page: Page, fake: Running) -> None:
    """Let the last word come, and the page be at rest."""
    fake.behave(hold_after=-1)
    expect(page.get_by_text(FIGURES)).to_have_count(1)
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)


def test_what_was_drawn_live_is_the_same_part_of_the_page_later(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    mark(chat)
    end(chat, fake)
    blocks = message(chat).locator(".berth-block")
    expect(blocks).to_have_count(5)
    assert all(block.evaluate(IS_MARKED) for block in blocks.all())
    assert message(chat).get_by_test_id("stMarkdown").count() == 0


def test_after_a_reload_the_same_text_is_drawn_by_the_page(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    end(chat, fake)
    words = message(chat).inner_text().split()
    reload(chat)
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    expect(message(chat).get_by_test_id("stMarkdown").first).to_be_visible()
    assert message(chat).inner_text().split() == words
    assert chat.locator(".berth-kept").count() == 0


def test_code_and_maths_are_drawn_anew_between_what_stays(chat: Page, fake: Running) -> None:
    begin(chat, fake, RICH)
    mark(chat)
    end(chat, fake)
    assert message(chat).locator(".berth-block").all_inner_texts() == [
        "Before it",
        "Between them",
        "After it",
    ]
    for block in message(chat).locator(".berth-block").all():
        assert block.evaluate(IS_MARKED)
    expect(message(chat).locator("pre .token").first).to_be_visible()
    expect(message(chat).locator(".katex").first).to_be_visible()
    order = [message(chat).get_by_text(text) for text in ("Before it", "Between them", "After it")]
    code, maths = message(chat).locator("pre"), message(chat).locator(".katex").first
    shown = [order[0], code, order[1], maths, order[2]]
    tops = [box["y"] for one in shown if (box := one.bounding_box())]
    assert tops == sorted(tops) and len(tops) == len(shown)


def test_a_reply_that_the_window_has_forgotten_is_drawn_by_the_page(
    chat: Page, fake: Running
) -> None:
    begin(chat, fake, PLAIN)
    end(chat, fake)
    expect(message(chat).locator(".berth-kept")).to_have_count(1)
    words = message(chat).inner_text().split()
    chat.evaluate(FORGET)
    chat.get_by_role("link", name="System").click()
    expect(chat.get_by_role("heading", name="System")).to_be_visible()
    chat.get_by_role("link", name="Chat").click()
    expect(message(chat).get_by_test_id("stMarkdown").first).to_be_visible()
    assert message(chat).inner_text().split() == words


def test_another_page_and_back_shows_the_same_part_again(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    mark(chat)
    end(chat, fake)
    chat.get_by_role("link", name="System").click()
    expect(chat.get_by_role("heading", name="System")).to_be_visible()
    chat.get_by_role("link", name="Chat").click()
    expect(message(chat).locator(".berth-block")).to_have_count(5)
    assert message(chat).locator(".berth-block").first.evaluate(IS_MARKED)


def test_another_version_and_back_shows_the_same_part_again(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    mark(chat)
    end(chat, fake)
    fake.behave(reply="Said otherwise", gap_ms=300)  # one that is over at once, Streamlit draws
    chat.get_by_role("button", name="Answer again", exact=True).click()
    expect(message(chat)).to_contain_text("Said otherwise")
    expect(chat.get_by_text("2/2")).to_be_visible()
    chat.get_by_role("button", name="Version before").click()
    expect(message(chat).locator(".berth-block")).to_have_count(5)
    assert message(chat).locator(".berth-block").first.evaluate(IS_MARKED)
    chat.get_by_role("button", name="Next version").click()
    expect(message(chat).locator(".berth-block")).to_have_text(["Said otherwise"])


def test_a_marked_text_stays_marked(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    chat.locator(".berth-live strong").evaluate("word => getSelection().selectAllChildren(word)")
    end(chat, fake)
    assert chat.evaluate("String(getSelection())") == "bold"


def test_the_words_of_a_reply_are_sent_once(chat: Page, fake: Running) -> None:
    frames: list[str] = []

    def watch(socket: WebSocket) -> None:
        if "_stcore" in socket.url:
            socket.on("framereceived", lambda frame: frames.append(str(frame)))

    chat.on("websocket", watch)
    reload(chat)
    begin(chat, fake, "A word that is like no other: ornithorhynchus, or platypus")
    end(chat, fake)
    chat.wait_for_function("() => Object.values(localStorage).some(t => t.includes('ornith'))")
    assert json.loads(stored(chat)[0]["document"])["turns"][-1]["content"].endswith("platypus")
    assert not [frame for frame in frames if "ornithorhynchus" in frame]


def test_words_that_the_window_lacks_are_sent_once_more(chat: Page, fake: Running) -> None:
    begin(chat, fake, PLAIN)
    chat.evaluate("TextEncoder.prototype.encode = () => new Uint8Array(1)")
    end(chat, fake)
    chat.wait_for_function("() => Object.values(localStorage).some(t => t.includes('second'))")
    [one] = stored(chat)
    assert json.loads(one["document"])["turns"][-1]["content"] == PLAIN
    expect(chat.get_by_role("alert")).to_have_count(0)


def test_a_reply_is_copied_to_the_letter(chat: Page, fake: Running) -> None:
    chat.context.grant_permissions(["clipboard-read", "clipboard-write"])
    begin(chat, fake, PLAIN)
    end(chat, fake)
    message(chat).get_by_role("button", name="Copy", exact=True).click()
    expect(chat.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.evaluate("navigator.clipboard.readText()") == PLAIN


def test_nothing_of_a_reply_is_drawn_twice_when_it_is_stopped(chat: Page, fake: Running) -> None:
    fake.behave(tokens=200, gap_ms=20)
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Go on")
    box.press("Enter")
    expect(chat.get_by_text(re.compile(r"\bt5\b"))).to_be_visible()
    chat.get_by_role("button", name="Stop").click()
    expect(chat.get_by_text("Stopped")).to_be_visible()
    expect(chat.locator(".berth-live .berth-block")).to_have_count(0)
    numbers = re.findall(r"\bt\d+\b", message(chat).inner_text())
    assert numbers == [f"t{number}" for number in range(len(numbers))]
