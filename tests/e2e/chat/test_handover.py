"""A reply that is over stays as it was drawn live, its code is drawn anew: nothing moves."""

import re
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.browser import reload
from tests.support.fake_engine import Running
from tests.support.server import Server

pytestmark = pytest.mark.usefixtures("berth")

MOST_PIXELS = 2
RICH = """# A rich reply

A paragraph with **bold**, *emphasis*, `inline code`, a [link](https://example.org) and $5.

## Lists

- one
- two with a long line that goes on and on so that it wraps on a phone at least once
  - nested
- three

1. first
2. second

### Code

```python
def double(n: int) -> int:
    return n * 2  # a rather long line that has to scroll sideways on a screen of a phone at least
```

```
no language
```

> A quote of some words
> in two lines.

| Model | Context | Notes that are rather long and go on for a while |
|---|---|---|
| qwen | 32,768 | `code` and **bold** in a cell |

---

#### Tasks

- [x] done
- [ ] open

The last paragraph has an end
"""
OVER = ':is(.berth-kept, [class*="st-key-block-"])'
PARTS = "h1, h2, h3, h4, li, pre, table, blockquote, hr"
PLACES = """(all) => all.map((part) => {
    const box = part.getBoundingClientRect();
    return [part.tagName, box.top, box.height, box.left];
})"""


def ask(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/Chat")
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Go on")
    box.press("Enter")


def places(page: Page, inside: str) -> list[list[Any]]:
    """Where the parts of the reply are, the whole of it."""
    parts = ", ".join(f"{inside} {part.strip()}" for part in PARTS.split(","))
    found: list[list[Any]] = page.locator(parts).evaluate_all(PLACES)
    return found


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", DESKTOP[0]), ("dark", PHONE[0])], ids=["desktop", "phone"]
)
def test_nothing_moves_when_a_reply_is_over(
    browser: Browser, server: Server, fake: Running, scheme: Literal["light", "dark"], width: int
) -> None:
    fake.behave(reply=RICH, hold_after=len(RICH.split()) - 2)
    context = browser.new_context(
        viewport={"width": width, "height": 2400}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    ask(page, server)
    expect(page.locator(".berth-block").get_by_text("The last paragraph")).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_be_visible()  # the question is drawn whole
    live = places(page, ".berth-block")
    page.screenshot(path=PICTURES / f"handover-live-{scheme}.png")
    fake.behave(hold_after=-1)
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    expect(page.locator(".berth-live .berth-block")).to_have_count(0)
    expect(page.locator("pre .token").first).to_be_attached()
    page.screenshot(path=PICTURES / f"handover-over-{scheme}.png")
    over = places(page, OVER)
    context.close()
    assert [part[0] for part in over] == [part[0] for part in live]
    for before, after in zip(live, over, strict=True):
        moved = [abs(a - b) for a, b in zip(before[1:], after[1:], strict=True)]
        assert max(moved) <= MOST_PIXELS, (before, after)


def test_code_says_its_language_live_and_later(page: Page, server: Server, fake: Running) -> None:
    fake.behave(reply="```python\nx = 1\n```\n\nand then the end", hold_after=7)
    ask(page, server)
    label = "it => getComputedStyle(it, '::before').content"
    live = page.locator(".berth-block code")
    assert live.evaluate(label) == '"language-python"'
    fake.behave(hold_after=-1)
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    shown = page.locator('[class*="st-key-block-"] pre code')
    assert shown.evaluate(label) == '"language-python"'
    expect(page.locator('[class*="st-key-block-"] [aria-label="Copy to clipboard"]')).to_have_count(
        1
    )


def test_thinking_is_timed_and_folded(page: Page, server: Server, fake: Running) -> None:
    fake.behave(reply="one two three four five six", reasoning=4, gap_ms=1500)
    ask(page, server)
    thought = page.locator(".berth-thought summary")
    expect(thought).to_have_text(re.compile(r"Thinking… [1-5] s"))
    expect(thought).to_have_text(re.compile(r"Thought for \d\.\d s"))
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    expect(page.locator(".berth-kept .berth-thought")).to_have_count(1)
    thoughts = page.get_by_text("one two three four")
    expect(thoughts).not_to_be_visible()
    thought.click()
    expect(thoughts).to_be_visible()
    reload(page)
    folded = page.get_by_test_id("stExpander").filter(has_text=re.compile(r"Thought for \d\.\d s"))
    expect(folded).to_have_count(1)
    expect(thoughts).not_to_be_visible()
    fake.behave(reasoning=0, gap_ms=0)


MOMENTS = """() => {
    window.moments = { asked: 0, over: 0 };
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
        const text = typeof data === "string" ? "" : new TextDecoder().decode(data);
        if (/over|asked/.test(text)) moments.over ||= performance.now();
        return send.call(this, data);
    };
    const asked = ({ key }) => key === "Enter" && (moments.asked = performance.now());
    addEventListener("keydown", asked, { capture: true });
}"""


def test_the_end_of_a_reply_is_not_told_in_the_middle_of_another_message(
    page: Page, berth: Server, fake: Running
) -> None:
    """Of two messages within milliseconds Streamlit may forget the first: here, the question."""
    fake.behave(text="Yes", gap_ms=0, prefill_ms=0)
    page.goto(f"{berth.url}/Chat")
    expect(page.get_by_test_id("stChatInput")).to_be_visible()
    page.evaluate(MOMENTS)
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Really?")
    box.press("Enter")
    expect(page.get_by_text(re.compile("first token"))).to_be_visible()
    page.wait_for_timeout(300)
    moments = page.evaluate("() => moments")
    assert not 0 < moments["over"] - moments["asked"] < 200
