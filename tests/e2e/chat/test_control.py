"""What can be done with messages: copy, edit, answer again, go from branch to branch, delete."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake
from tests.support.browser import reload
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server

FIGURES = re.compile("first token")


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    fake.behave(tokens=3, gap_ms=0, prefill_ms=0, text="", reply="", finish_reason="")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{server.url}/Chat")
    return page


def ask(page: Page, text: str) -> None:
    """Type a message, send it and wait for the end of the reply."""
    box = page.get_by_test_id("stChatInput").locator("textarea")
    before = page.get_by_text(FIGURES).count()
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(FIGURES)).to_have_count(before + 1)


def talk(page: Page, fake: Running, *exchanges: tuple[str, str]) -> None:
    for question, answer in exchanges:
        fake.behave(text=answer)
        ask(page, question)


def message(page: Page, text: str) -> Locator:
    """The message that says this, and is seen."""
    return page.get_by_test_id("stChatMessage").filter(visible=True, has_text=text).last


def expect_said(page: Page, *wanted: str) -> None:
    """The messages say this, without what stands below them; old ones may take a moment to go."""
    shown = page.get_by_test_id("stChatMessage").filter(visible=True)
    drawn = '[data-testid="stText"], [data-testid="stMarkdownContainer"], .berth-kept'
    words = shown.locator(drawn)
    expect(words).to_have_text(list(wanted))


def press(page: Page, text: str, name: str) -> None:
    message(page, text).get_by_role("button", name=name, exact=True).click()


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_an_answer_is_copied_as_it_was_written(chat: Page, fake: Running) -> None:
    talk(chat, fake, ("Hello", "Some **bold** words and `code`."))
    press(chat, "Some bold words", "Copy")
    expect(chat.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(chat).strip() == "Some **bold** words and `code`."
    press(chat, "Hello", "Copy")
    chat.wait_for_function("() => navigator.clipboard.readText().then(text => text === 'Hello')")


def test_an_answer_can_be_given_again_and_the_first_one_stays(chat: Page, fake: Running) -> None:
    talk(chat, fake, ("Hello", "First answer"))
    fake.behave(text="Second answer")
    press(chat, "First answer", "Answer again")
    expect(message(chat, "Second answer").get_by_text("2/2")).to_be_visible()
    expect_said(chat, "Hello", "Second answer")
    press(chat, "Second answer", "Version before")
    expect(message(chat, "First answer").get_by_text("1/2")).to_be_visible()
    expect_said(chat, "Hello", "First answer")
    fake.behave(text="Third answer")
    ask(chat, "And on")
    expect_said(chat, "Hello", "First answer", "And on", "Third answer")
    reload(chat)
    expect(message(chat, "First answer").get_by_text("1/2")).to_be_visible()
    press(chat, "First answer", "Next version")
    expect(message(chat, "Second answer")).to_be_visible()
    expect_said(chat, "Hello", "Second answer")


def test_an_earlier_question_is_edited_on_a_branch_of_its_own(chat: Page, fake: Running) -> None:
    talk(chat, fake, ("First question", "One"), ("Second question", "Two"))
    fake.behave(text="Other")
    press(chat, "First question", "Edit")
    box = chat.get_by_role("textbox", name="Question")
    expect(box).to_be_focused()
    expect(box).to_have_value("First question")
    box.fill("Changed question")
    box.press("Enter")
    expect(message(chat, "Other").get_by_text(FIGURES)).to_be_visible()
    expect_said(chat, "Changed question", "Other")
    press(chat, "Changed question", "Version before")
    expect(message(chat, "Two")).to_be_visible()
    expect_said(chat, "First question", "One", "Second question", "Two")


def test_an_edit_can_be_given_up_with_escape(chat: Page, fake: Running) -> None:
    talk(chat, fake, ("Question", "Answer"))
    press(chat, "Question", "Edit")
    chat.get_by_role("textbox", name="Question").press("Escape")
    expect(chat.get_by_role("button", name="Edit")).to_be_focused()
    expect_said(chat, "Question", "Answer")


def test_a_pair_is_deleted_and_brought_back(chat: Page, fake: Running) -> None:
    talk(chat, fake, ("One", "First"), ("Two", "Second"), ("Three", "Third"))
    press(chat, "Second", "Delete question and answer")
    expect(chat.get_by_text("Question and answer deleted.")).to_be_visible()
    expect_said(chat, "One", "First", "Three", "Third")
    chat.get_by_role("button", name="Undo").click()
    expect(message(chat, "Second")).to_be_visible()
    expect_said(chat, "One", "First", "Two", "Second", "Three", "Third")
    press(chat, "Second", "Delete question and answer")
    expect(chat.get_by_text("Question and answer deleted.")).to_be_visible()
    reload(chat)
    expect(message(chat, "Third").get_by_text(FIGURES)).to_be_visible()
    expect_said(chat, "One", "First", "Three", "Third")
    raw = chat.evaluate("Object.values(localStorage).join()")
    assert "Second" not in raw


def test_an_answer_of_another_model(
    chat: Page, fake: Running, server: Server, tmp_path: Path
) -> None:
    with running_fake() as other:
        lay_fake(server.home, other, name="other")
        other.behave(text="From the other one")
        reload(chat)
        talk(chat, fake, ("Hello", "From the first one"))
        press(chat, "From the first one", "Answer again with another model")
        dialog = chat.get_by_role("dialog")
        dialog.get_by_text("other", exact=True).click()
        dialog.get_by_role("button", name="Answer again").click()
        expect(message(chat, "From the other one").get_by_text("2/2")).to_be_visible()
        expect(message(chat, "From the other one")).to_contain_text("other")
    (server.home / "models" / "other.gguf").unlink()
    (server.home / "engines" / "other.json").unlink(missing_ok=True)


def test_a_reply_that_was_cut_is_continued_in_its_place(chat: Page, fake: Running) -> None:
    fake.behave(reply="One, two", finish_reason="length")
    ask(chat, "Count to four")
    expect(message(chat, "One, two")).to_contain_text("cut at the token limit")
    fake.behave(reply=", three, four", finish_reason="")
    press(chat, "One, two", "Continue")
    expect_said(chat, "Count to four", "One, two, three, four")
    sent = fake.last_call("done")["body"]["messages"]
    assert [one["content"] for one in sent] == ["Count to four", "One, two"]
    expect(chat.get_by_role("button", name="Continue")).to_have_count(0)
    chat.wait_for_function(
        "() => Object.values(localStorage).join().split('One, two').length === 2"
    )
    reload(chat)
    expect(message(chat, "One, two, three, four").get_by_text(FIGURES)).to_be_visible()
    expect_said(chat, "Count to four", "One, two, three, four")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_can_be_used_at_any_size(
    chat: Page, fake: Running, size: tuple[int, int], scheme: str
) -> None:
    chat.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    chat.set_viewport_size({"width": size[0], "height": size[1]})
    talk(chat, fake, ("How do I list files?", "Use `ls`:\n\n```bash\nls -l\n```\n"))
    press(chat, "Use ls", "Answer again")
    expect(message(chat, "Use ls").get_by_text("2/2")).to_be_visible()
    chat.screenshot(path=PICTURES / f"bar-{scheme}-{size[0]}.png")
    press(chat, "How do I list files?", "Edit")
    expect(chat.get_by_role("textbox", name="Question")).to_be_focused()
    chat.screenshot(path=PICTURES / f"edit-{scheme}-{size[0]}.png")
    assert chat.evaluate("document.documentElement.scrollWidth <= innerWidth")
