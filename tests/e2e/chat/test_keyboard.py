"""The chat without a mouse: its keys, on a desk and on a phone."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import PHONE
from tests.support.fake_engine import Running
from tests.support.server import Server


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    """A chat page whose input has the focus."""
    fake.behave(tokens=10, gap_ms=0, prefill_ms=0)
    page.goto(f"{server.url}/Chat")
    expect(search(page)).to_be_attached()
    field(page).focus()
    return page


def field(page: Page) -> Locator:
    return page.get_by_test_id("stChatInput").locator("textarea")


def search(page: Page) -> Locator:
    return page.locator(".berth-search")


def messages(page: Page) -> Locator:
    return page.get_by_test_id("stChatMessage").filter(visible=True)


def ask(page: Page, text: str) -> None:
    """Type and send, and wait for the whole answer."""
    field(page).focus()
    before = messages(page).count()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_count(before + 2)
    expect(page.get_by_text("first token")).to_have_count(before // 2 + 1)


def test_enter_sends_and_shift_enter_begins_a_line(chat: Page) -> None:
    chat.keyboard.type("one")
    chat.keyboard.press("Shift+Enter")
    ask(chat, "two")
    assert "one\ntwo" in messages(chat).first.inner_text()


def test_escape_stops_the_reply_also_while_the_input_has_the_focus(
    chat: Page, fake: Running
) -> None:
    fake.behave(prefill_ms=60_000)
    chat.keyboard.type("Never answered")
    chat.keyboard.press("Enter")
    expect(chat.get_by_role("button", name="Stop")).to_be_visible()
    fake.last_call("running")
    expect(field(chat)).to_be_focused()
    chat.keyboard.press("Escape")
    expect(chat.get_by_text("Stopped")).to_be_visible()
    fake.last_call("left")


def test_the_search_is_one_chord_away_and_escape_leads_back(chat: Page) -> None:
    chat.keyboard.press("Control+k")
    expect(search(chat)).to_be_focused()
    chat.keyboard.press("Escape")
    expect(field(chat)).to_be_focused()


def test_the_search_opens_the_sidebar_on_a_phone(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    page = context.new_page()
    page.goto(f"{server.url}/Chat")
    expect(search(page)).to_be_attached()
    expect(search(page)).not_to_be_in_viewport()
    page.keyboard.press("Control+k")
    expect(search(page)).to_be_in_viewport()
    expect(search(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(search(page)).not_to_be_in_viewport()
    expect(field(page)).to_be_focused()
    context.close()


def test_a_chord_begins_a_new_chat(chat: Page) -> None:
    ask(chat, "An old question")
    chat.keyboard.press("Control+Shift+o")
    expect(messages(chat)).to_have_count(0)
    ask(chat, "A new question")
    expect(chat.get_by_role("button", name="An old question", exact=True)).to_be_visible()


def test_a_mac_has_keys_of_its_own(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'platform', {get: () => 'MacIntel'})")
    page.goto(f"{server.url}/Chat")
    field(page).focus()
    expect(search(page)).to_be_visible()
    page.keyboard.press("Control+k")
    expect(search(page)).not_to_be_focused()
    page.keyboard.press("Meta+k")
    expect(search(page)).to_be_focused()
    page.get_by_text("Keyboard", exact=True).click()
    expect(page.locator(".berth-keys")).to_contain_text("⌘")
    context.close()


def test_the_keys_are_listed_on_the_page(chat: Page) -> None:
    chat.get_by_text("Keyboard", exact=True).click()
    expect(chat.locator(".berth-keys")).to_contain_text("Search conversations")
    expect(chat.locator(".berth-keys kbd").filter(has_text="Ctrl")).to_have_count(2)


def test_the_list_is_walked_with_the_arrows_and_opened_with_enter(chat: Page) -> None:
    ask(chat, "The first conversation")
    chat.keyboard.press("Control+Shift+o")
    expect(messages(chat)).to_have_count(0)
    ask(chat, "The second conversation")
    chat.keyboard.press("Control+k")
    chat.keyboard.press("ArrowDown")
    expect(chat.get_by_role("button", name="The second conversation", exact=True)).to_be_focused()
    chat.keyboard.press("ArrowDown")
    first = chat.get_by_role("button", name="The first conversation", exact=True)
    expect(first).to_be_focused()
    assert first.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    chat.keyboard.press("Enter")
    expect(messages(chat).first).to_contain_text("The first conversation")


def test_arrow_up_in_the_empty_input_edits_the_last_question(chat: Page) -> None:
    ask(chat, "Frist")
    field(chat).focus()
    chat.keyboard.press("ArrowUp")
    editor = messages(chat).first.locator("textarea")
    expect(editor).to_be_focused()
    expect(editor).to_have_value("Frist")


def test_arrow_up_in_a_text_moves_the_caret_alone(chat: Page) -> None:
    ask(chat, "Frist")
    field(chat).focus()
    chat.keyboard.type("more")
    chat.keyboard.press("ArrowUp")
    expect(field(chat)).to_be_focused()
    expect(messages(chat).first.locator("textarea")).to_have_count(0)


def test_there_is_one_button_for_a_new_chat_wherever_the_list_is(chat: Page) -> None:
    expect(chat.get_by_role("button", name="New chat")).to_be_visible()
    expect(chat.locator(".st-key-chat_new")).not_to_be_visible()
    chat.get_by_test_id("stSidebarCollapseButton").locator("button").evaluate("it => it.click()")
    expect(chat.locator(".st-key-chat_new button")).to_be_visible()
