"""Whatever went wrong with a question, the next one works."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support import files
from tests.support.browser import reload
from tests.support.fake_engine import Running

FIGURES = re.compile("first token")
CUT = re.compile("cut at the token limit while it was still thinking")


def send(page: Page, text: str) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")


def ask(page: Page, text: str) -> None:
    """Send, and wait for the end of a reply that went well."""
    before = page.get_by_text(FIGURES).count()
    send(page, text)
    expect(page.get_by_text(FIGURES)).to_have_count(before + 1)


def attach(page: Page, name: str, data: bytes) -> None:
    field = page.locator(".berth-attach input[type=file]")
    field.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})
    expect(page.locator(".berth-chip", has_text=name)).to_contain_text("token")


def blind_image(page: Page) -> None:
    field = page.locator(".berth-attach input[type=file]")
    picture = {"name": "cat.png", "mimeType": "image/png", "buffer": files.picture()}
    field.set_input_files(picture)  # type: ignore[arg-type]
    expect(page.locator(".berth-chip")).to_contain_text("your message goes without it")


def sent(fake: Running) -> list[tuple[str, Any]]:
    messages = fake.last_call("done")["body"]["messages"]
    return [(message["role"], message["content"]) for message in messages]


def message(page: Page, text: str) -> Locator:
    return page.get_by_test_id("stChatMessage").filter(visible=True, has_text=text).last


def test_a_picture_for_a_model_that_cannot_see_is_left_out_and_told(
    chat: Page, fake: Running
) -> None:
    blind_image(chat)
    ask(chat, "What is this?")
    expect(chat.get_by_text("1 picture left out, because this model cannot see")).to_be_visible()
    assert sent(fake) == [("user", "What is this?")]
    ask(chat, "Then just say hello.")
    assert [role for role, _ in sent(fake)] == ["user", "assistant", "user"]
    reload(chat)
    expect(chat.get_by_text("1 picture left out")).to_have_count(2)


def test_an_edit_can_leave_a_file_out(chat: Page, fake: Running) -> None:
    attach(chat, "a.txt", b"one two")
    attach(chat, "b.txt", b"three four")
    ask(chat, "Read these")
    message(chat, "Read these").get_by_role("button", name="Edit", exact=True).click()
    form = chat.locator(".berth-edit")
    form.get_by_role("button", name="Leave out a.txt").click()
    expect(form.get_by_role("button", name="Leave out b.txt")).to_be_focused()
    form.get_by_role("button", name="Send").click()
    expect(chat.get_by_text("2/2")).to_be_visible()
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    ((_, content),) = sent(fake)
    assert "three four" in content and "one two" not in content
    expect(message(chat, "Read these")).not_to_contain_text("a.txt")
    message(chat, "Read these").get_by_role("button", name="Version before").click()
    expect(message(chat, "Read these")).to_contain_text("a.txt")  # there it stays


def test_two_questions_in_a_row_after_stop_work(chat: Page, fake: Running) -> None:
    fake.behave(in_turn=True, prefill_ms=60_000)
    send(chat, "Never answered")
    chat.get_by_role("button", name="Stop").click()
    expect(chat.get_by_text("Stopped", exact=False).first).to_be_visible()
    fake.behave(in_turn=True, prefill_ms=0)
    ask(chat, "Answered")
    assert sent(fake) == [("user", "Never answered\n\nAnswered")]
    reload(chat)
    ask(chat, "And again")
    assert [role for role, _ in sent(fake)] == ["user", "assistant", "user"]


def test_a_failed_answer_in_the_middle_is_no_end(chat: Page, fake: Running) -> None:
    fake.behave(in_turn=True)
    ask(chat, "One")
    fake.behave(in_turn=True, status=500)
    send(chat, "Two")
    expect(chat.get_by_role("button", name="Retry")).to_be_visible()
    fake.behave(in_turn=True, status=200)
    ask(chat, "Three")
    assert [content for _, content in sent(fake)][::2] == ["One", "Two\n\nThree"]


@pytest.mark.parametrize("reason", ["length", "stop"])
def test_an_answer_that_was_thoughts_alone_is_no_end_and_says_so(
    chat: Page, fake: Running, reason: str
) -> None:
    fake.behave(in_turn=True, tokens=10, reasoning=10, finish_reason=reason)
    ask(chat, "Think")
    expect(chat.get_by_role("button", name="Continue")).to_have_count(0)
    expect(chat.get_by_text(CUT if reason == "length" else "ended after thinking")).to_be_visible()
    fake.behave(in_turn=True, tokens=10, reasoning=0, finish_reason="")
    ask(chat, "Speak")
    assert sent(fake) == [("user", "Think\n\nSpeak")]


def test_the_only_model_is_not_offered_as_another_one(chat: Page) -> None:
    ask(chat, "Hello")
    chat.get_by_role("button", name="Answer again with another model").click()
    dialog = chat.get_by_role("dialog")
    expect(dialog).to_contain_text("There is one model here.")
    expect(dialog.get_by_role("link", name="Deploy another")).to_be_visible()
    expect(dialog.get_by_role("radio")).to_have_count(0)


def test_what_came_after_an_answer_that_is_given_again_is_said_to_be_there(chat: Page) -> None:
    for question in ("One", "Two", "Three"):
        ask(chat, question)
    message(chat, "One").get_by_text("One").wait_for()
    first = chat.get_by_test_id("stChatMessage").filter(visible=True).nth(1)
    first.get_by_role("button", name="Answer again", exact=True).click()
    expect(chat.get_by_text("4 later messages follow version 1")).to_be_visible()
    expect(chat.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(2)
    first.get_by_role("button", name="Version before").click()
    expect(chat.get_by_text(FIGURES)).to_have_count(3)
    expect(chat.get_by_text("later message")).to_have_count(0)
