"""The list of conversations beside the chat, and what the browser's storage holds of them."""

import json
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Download, Locator, Page, expect

DAY_MILLISECONDS = 86_400_000
FIGURES = re.compile("first token")


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
    """The titles in the list, from its top."""
    return page.locator(".berth-title").all_inner_texts()


def row(page: Page, title: str) -> Locator:
    """The conversation of this title in the list."""
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


def saved(download: Download) -> str:
    """The text of a file that the browser has saved."""
    return Path(download.path()).read_text(encoding="utf-8")
