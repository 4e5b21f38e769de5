"""Real text is drawn as what it is, while it streams and after it: one table for both."""

import random

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import reload
from tests.support.fake_engine import Running
from tests.support.prose import SHOWN, cases
from tests.support.server import Server

LIVE = """async ([texts, step]) => {
  const { LiveBlock } = await import(`${location.origin}/api/ui/0/live_markdown.js`);
  const show = %s;
  return texts.map((text) => {
    const box = document.createElement("div");
    const block = new LiveBlock(box);
    for (let at = 0; at < text.length; at += step) block.write(text.slice(at, at + step));
    block.end();
    return show(box);
  });
}"""
AFTER = """() => {
  const show = %s;
  const found = [];
  const drawn = '[class*="st-key-block-"] [data-testid="stMarkdownContainer"]';
  for (const child of [...document.querySelectorAll(drawn)].flatMap((one) => [...one.children])) {
    if (/^CASE \\d+$/.test(child.textContent)) found.push([]);
    else found.at(-1)?.push(show(child));
  }
  return found.map((parts) => parts.filter(Boolean).join(" "));
}"""


@pytest.mark.parametrize("step", [1, 7, 100_000], ids=["by letters", "in pieces", "at once"])
def test_while_it_streams_a_text_is_drawn_as_what_it_is(chat: Page, step: int) -> None:
    table = cases()
    found = chat.evaluate(LIVE % SHOWN, [[one.written for one in table], step])
    assert found == [one.drawn for one in table]


def test_after_it_a_text_is_drawn_as_while_it_streamed(
    chat: Page, server: Server, fake: Running
) -> None:
    table = cases()
    whole = "\n\n".join(f"CASE {number}\n\n{one.written}" for number, one in enumerate(table))
    fake.behave(reply=whole + "\n\nCASE 999\n")
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Write")
    box.press("Enter")
    expect(chat.get_by_text("first token")).to_be_visible()
    reload(chat)  # then Streamlit has drawn it
    expect(chat.get_by_text("CASE 999")).to_be_visible()
    expect(chat.get_by_text("a $5 ~b~")).to_be_visible()  # code comes last
    expect(chat.get_by_text("x = '$5'")).to_be_visible()
    found = chat.evaluate(AFTER % SHOWN)[:-1]
    assert found == [one.drawn for one in table]


SIGNS = [
    "$",
    "$$",
    "5",
    "x",
    "=",
    "_",
    "*",
    "**",
    "~~",
    "~",
    "`",
    "```",
    "[",
    "](",
    ")",
    "|",
    "\n",
    "\n\n",
]
MORE = [
    "- ",
    "\\",
    "\\[",
    "\\]",
    "\\(",
    "\\)",
    "<br>",
    "&lt;",
    "https://a.b",
    " ",
    "wörd",
    "#",
    "!",
    ":",
]


def test_whatever_comes_is_drawn_the_same_in_pieces_and_at_once(chat: Page) -> None:
    picked = random.Random(7)
    texts = ["".join(picked.choices(SIGNS + MORE, k=24)) for _ in range(400)]
    by_letters = chat.evaluate(LIVE % SHOWN, [texts, 1])
    assert by_letters == chat.evaluate(LIVE % SHOWN, [texts, 1_000])
