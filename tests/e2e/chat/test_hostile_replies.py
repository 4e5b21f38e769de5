"""Replies that would like to run, to fetch, to vanish or to bring the page down."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.fake_engine import Running
from tests.support.server import Server

OUTSIDE = "http://tracker.invalid"


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Iterator[Page]:
    """A chat that works still after whatever the test has done to it, and asked nobody else."""
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(request.url))
    fake.behave(reply="", split_utf8=False, gap_ms=0)
    # Many of these say one thing for ever, which would end them early.
    (server.home / "settings.toml").write_text("stops_repetition = false\n", encoding="utf-8")
    page.goto(f"{server.url}/Chat")
    yield page
    assert answer(page, fake, "It goes on.").inner_text().startswith("It goes on.")
    assert [url for url in wanted if not url.startswith((server.url, "data:", "blob:"))] == []
    assert page.title() == "Chat · Berth"


def answer(page: Page, fake: Running, reply: str) -> Locator:
    """The message once Streamlit has drawn all of the reply, which is stored to the letter."""
    fake.behave(reply=reply)
    before = len(turns(page))
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Go on")
    box.press("Enter")
    assert last_of(page, before + 2) == reply
    expect(page.locator(".berth-live .berth-block")).to_have_count(0, timeout=60_000)
    message = page.get_by_test_id("stChatMessage").filter(visible=True).last
    expect(message.get_by_text("first token")).to_be_visible()
    return message.get_by_test_id("stChatMessageContent")


def turns(page: Page) -> list[dict[str, Any]]:
    """The conversation as the browser keeps it."""
    raw = page.evaluate(
        """Object.keys(localStorage).filter(key => key.startsWith("berth:c:"))
            .map(key => localStorage[key])[0] ?? '{"turns": []}'"""
    )
    found: list[dict[str, Any]] = json.loads(raw)["turns"]
    return found


def last_of(page: Page, count: int) -> str:
    """The last of so many turns, once they are stored."""
    deadline = time.monotonic() + 60
    while len(kept := turns(page)) < count:
        assert time.monotonic() < deadline, "the answer was not stored"
        page.wait_for_timeout(50)
    return str(kept[-1]["content"])


def test_html_is_text(chat: Page, fake: Running) -> None:
    reply = (
        "<script>document.title='taken'</script> <b onclick=x>bold</b> <style>*{}</style>"
        "\n\n<div style='position:fixed;inset:0'>\n\nover all\n\n</div>\n\n<iframe src=//a.invalid>"
        f"\n\n<form action={OUTSIDE}><input name=password></form> <!-- hidden --> &lt;i&gt; </p>"
    )
    message = answer(chat, fake, reply)
    for written in ("<script>", "<b onclick=x>", "<iframe", "<!-- hidden -->", "<input"):
        expect(message).to_contain_text(written)
    assert message.locator("script, iframe, form, input, b, style").count() == 0


def test_images_are_links_and_nothing_is_fetched(chat: Page, fake: Running) -> None:
    message = answer(
        chat,
        fake,
        f"![a]({OUTSIDE}/1.png) ![b][r] [![c]({OUTSIDE}/2.png)]({OUTSIDE}/3) <img src={OUTSIDE}/4>"
        f"\n\n| ![d]({OUTSIDE}/5.png) |\n|---|\n| ![e]({OUTSIDE}/6) |\n\n[r]: {OUTSIDE}/7.png\n\n"
        f"!&#91;f]({OUTSIDE}/8.png) \\![g]({OUTSIDE}/9.png) !\\[h]({OUTSIDE}/10)",
    )
    assert message.locator("img").count() == 0
    expect(message).to_contain_text("<img src=")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:document.title='taken'",
        "JaVaScRiPt:document.title='taken'",
        "&#106;avascript:document.title='taken'",
        "java&Tab;script:document.title='taken'",
        "data:text/html,<script>document.title='taken'</script>",
        "vbscript:x",
    ],
)
def test_a_link_never_runs_anything(chat: Page, fake: Running, address: str) -> None:
    message = answer(chat, fake, f"[here]({address}) <{address}> [r]\n\n[r]: {address}\n")
    links = message.locator("a").evaluate_all("all => all.map(one => one.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:", "data:", ""}
    for link in message.locator("a[href^=data]").all():
        link.click()  # no browser shows a page that a link carries in itself
    chat.wait_for_timeout(300)
    assert {other.title() for other in chat.context.pages} <= {"Chat · Berth", ""}


def test_a_code_block_of_50_000_characters_is_shown_whole(chat: Page, fake: Running) -> None:
    lines = [f"value_{n:05} = compute({n}, 'text', other={n * 7})  # note" for n in range(1000)]
    message = answer(chat, fake, "```python\n" + "\n".join(lines) + "\n```\n\nAfter it.")
    expect(message).to_contain_text("value_00000")
    expect(message).to_contain_text("value_00999")
    expect(message).to_contain_text("After it.")


SIDES = """all => all.map(one => {
    const range = document.createRange();
    range.selectNodeContents(one);
    const [text, box] = [range.getBoundingClientRect(), one.getBoundingClientRect()];
    return text.left - box.left > box.right - text.right ? "right" : "left";
})"""


def test_each_paragraph_has_its_own_direction(chat: Page, fake: Running) -> None:
    message = answer(
        chat, fake, "שלום עולם, זה טקסט.\n\nA sentence in English.\n\nمرحبا بالعالم\n\nOnce more."
    )
    assert message.locator("p").evaluate_all(SIDES)[:4] == ["right", "left", "right", "left"]


def test_marks_that_turn_the_direction_end_with_their_paragraph(chat: Page, fake: Running) -> None:
    message = answer(chat, fake, "abc \u202egnp.exe\u2066 \u200f\u202d\n\nThe next one.")
    expect(message).to_contain_text("gnp.exe")
    assert message.locator("p").evaluate_all(SIDES)[:2] == ["left", "left"]


@pytest.mark.parametrize(
    "reply",
    [
        "Before.\n\n```python\nprint('never closed')\n\nstill code\n",
        "~~~\nA\n```\nB\n",
        "| a | b |\n|---|\n| 1 | 2 | 3 |\n| `un | closed |\n",
        "**bold *both _all `code ~~struck [link](http://",
        "[a](b [c](d) ](e) ![ ]] [[ \\",
        "$$\n\\frac{1}{\n\nnever closed",
        "\\begin{nothing} $\\notacommand{$ \\(x",
        "* " * 500 + "deep",
        "&#x110000; &#0; &nosuch; &amp;amp;",
        "#" * 50 + " heading\n#######no\n====\n----\n***\n",
        "[^1] [^1]: note\n\n[^1]: [^1]\n\n[a]: <b\n",
        "`" * 3001,
        "_" * 5000 + "*" * 5001,
        "[" * 2000 + "](x)" * 2000,
    ],
    ids=lambda reply: reply[:12].encode("unicode_escape").decode(),
)
def test_broken_markdown_is_shown_somehow(chat: Page, fake: Running, reply: str) -> None:
    message = answer(chat, fake, f"{reply}\n")
    assert message.inner_text().strip()


@pytest.mark.parametrize(
    "reply",
    [
        "> " * 10_000 + "deep",
        ">" * 10_000 + "deep",
        "".join(f"{' ' * 2 * n}- level {n}\n" for n in range(300)) + "deep",
        "- " * 10_000 + "deep",
        "1. " * 5_000 + "deep",
        "> - " * 3_000 + "deep",
    ],
    ids=["quotes", "tight quotes", "indented list", "list", "numbers", "both"],
)
def test_what_is_nested_without_end_is_shown(chat: Page, fake: Running, reply: str) -> None:
    message = answer(chat, fake, f"Before.\n\n{reply}\n\nAfter.")
    expect(message).to_contain_text("Before.")
    expect(message).to_contain_text("deep")
    expect(message).to_contain_text("After.")


def test_100_000_characters_without_a_space_stay_inside_the_page(chat: Page, fake: Running) -> None:
    message = answer(chat, fake, "a" * 100_000 + "\n\nAfter.")
    expect(message).to_contain_text("After.")
    assert len(message.inner_text()) > 100_000
    assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_characters_may_be_cut_between_two_packets(chat: Page, fake: Running) -> None:
    fake.behave(split_utf8=True)
    text = "äöü 日本語 🧑‍🚀 שלום e\u0301 \U0001f1e9\U0001f1ea"
    expect(answer(chat, fake, text)).to_contain_text(text)


def test_control_characters_do_no_harm(chat: Page, fake: Running) -> None:
    fake.behave(reply="a\x00b\x07c\x1b[31md\x7fe\u2028f\ufeffg\x85h\x0bi")
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Go on")
    box.press("Enter")
    expect(chat.get_by_text("first token")).to_be_visible()
    expect(chat.locator(".berth-live .berth-block")).to_have_count(0)
    kept = last_of(chat, 2)
    assert [c for c in kept if c in "abcdefghi"] == list("abcdefghi")


def test_streamlits_own_codes_are_text(chat: Page, fake: Running) -> None:
    reply = (
        ":material/delete: :red[alarm] :blue-background[x] :small[y] :rainbow[z] :streamlit: "
        ":green-badge[ok] a:red[b] :orange[:material/home:] :primary[p]"
    )
    message = answer(chat, fake, reply)
    assert message.locator("p").first.inner_text().replace("\u2060", "") == reply


def test_a_wide_table_scrolls_inside_its_message(chat: Page, fake: Running) -> None:
    head = "|" + "|".join(f" column {n} " for n in range(30)) + "|\n" + "|---" * 30 + "|\n"
    rows = "".join("|" + "|".join(["word" * 10] * 30) + "|\n" for _ in range(3))
    message = answer(chat, fake, head + rows + "\nAfter.")
    table = message.locator("table")
    assert table.evaluate("it => it.scrollWidth > it.clientWidth + 100")
    assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")
    width = message.evaluate("it => it.getBoundingClientRect().right")
    assert table.evaluate("it => it.getBoundingClientRect().right") <= width + 1
