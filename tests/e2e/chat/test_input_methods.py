"""Enter and Escape belong to an input method while it composes a word, however that is told."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.fake_engine import Running
from tests.support.history import act, ask

TOLD: list[dict[str, Any]] = [
    {"isComposing": True, "keyCode": 229},
    {"isComposing": True, "keyCode": 13},
    {"isComposing": False, "keyCode": 229},  # as Safari does at the end of a word
]
EITHER_WAY = pytest.mark.parametrize(
    "told", TOLD, ids=["both", "by its name", "by the old code alone"]
)


def press(field: Locator, key: str, told: dict[str, Any]) -> None:
    event = {"key": key, "bubbles": True, "cancelable": True, **told}
    field.evaluate(
        "(field, told) => field.dispatchEvent(new KeyboardEvent('keydown', told))", event
    )


@EITHER_WAY
def test_a_message_is_not_sent(chat: Page, fake: Running, told: dict[str, Any]) -> None:
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("にほん")
    press(box, "Enter", told)
    chat.wait_for_timeout(300)
    assert fake.record() == []
    expect(box).to_have_value("にほん")
    box.press("Enter")
    expect(chat.get_by_text("first token")).to_be_visible()


@EITHER_WAY
@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_a_name_is_neither_kept_nor_given_up(chat: Page, told: dict[str, Any], key: str) -> None:
    ask(chat, "To be renamed")
    act(chat, "To be renamed", "Rename")
    field = chat.locator(".berth-row input")
    field.fill("にほん")
    press(field, key, told)
    expect(field).to_have_value("にほん")
    field.press("Enter")
    expect(chat.locator(".berth-title")).to_have_text("にほん")


@EITHER_WAY
@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_an_edited_question_is_neither_sent_nor_given_up(
    chat: Page, fake: Running, told: dict[str, Any], key: str
) -> None:
    ask(chat, "To be edited")
    chat.get_by_role("button", name="Edit", exact=True).click()
    area = chat.locator(".berth-edit textarea")
    area.fill("にほん")
    press(area, key, told)
    chat.wait_for_timeout(300)
    expect(area).to_have_value("にほん")
    assert len(fake.record()) == 1


@EITHER_WAY
def test_the_search_and_the_list_do_not_move(chat: Page, told: dict[str, Any]) -> None:
    ask(chat, "A conversation")
    search = chat.locator(".berth-search")
    search.fill("にほ")
    search.focus()
    for key in ("Escape", "ArrowDown", "Enter"):
        press(search, key, told)
    expect(search).to_be_focused()
    expect(search).to_have_value("にほ")


@EITHER_WAY
def test_no_shortcut_acts(chat: Page, told: dict[str, Any]) -> None:
    ask(chat, "A conversation")
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.focus()
    press(box, "ArrowUp", told)
    expect(chat.locator(".berth-edit")).to_have_count(0)
    press(box, "k", {**told, "ctrlKey": True})
    expect(box).to_be_focused()
