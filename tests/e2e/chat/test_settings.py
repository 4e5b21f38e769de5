"""A conversation's settings in Chromium: what is set reaches the engine, and comes back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_starter, running_berth
from tests.support.browser import reload
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server

FIGURES = re.compile("first token")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(scope="module")
def fake() -> Iterator[Running]:
    with running_fake() as engine:
        yield engine


@pytest.fixture
def chat(page: Page, berth: Server) -> Page:
    (berth.home / "chat.toml").unlink(missing_ok=True)  # what another test kept
    page.goto(f"{berth.url}/Chat")
    expect(page.get_by_test_id("stChatInput")).to_be_visible()
    return page


def opened(page: Page) -> Locator:
    """The dialog, open."""
    page.get_by_role("button", name="Settings", exact=False).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Done")).to_be_visible()
    return dialog


def done(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def unfold(page: Page) -> None:
    """The part for experts."""
    if not page.get_by_label("Seed", exact=True).is_visible():
        page.get_by_role("dialog").get_by_text("More", exact=True).click()


def fill(page: Page, label: str, value: str) -> None:
    if label in ("Seed", "Stop sequences", "JSON schema", "Top-k", "Min-p"):
        unfold(page)
    field = page.get_by_role("dialog").get_by_label(label, exact=True)
    field.fill(value)
    field.press("Tab")


def ask(page: Page, text: str) -> None:
    before = page.get_by_text(FIGURES).count()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(FIGURES)).to_have_count(before + 1)


def sent(fake: Running) -> dict[str, Any]:
    """The body of the last request."""
    body: dict[str, Any] = fake.record()[-1]["body"]
    return body


def line(page: Page) -> str:
    """What the page says is set."""
    return page.get_by_role("button", name="Settings").first.inner_text()


def test_what_is_set_reaches_the_engine_and_is_still_set_after_a_reload(
    chat: Page, fake: Running
) -> None:
    opened(chat)
    fill(chat, "System prompt", "Answer like a sailor.")
    fill(chat, "Temperature", "0.2")
    fill(chat, "Top-p", "0.9")
    fill(chat, "Max tokens", "50")
    fill(chat, "Repetition penalty", "1.1")
    fill(chat, "Top-k", "20")
    fill(chat, "Min-p", "0.1")
    fill(chat, "Seed", "0")
    fill(chat, "Stop sequences", "END\n\\n\\n")
    done(chat)
    expect(chat.get_by_text("System prompt · temperature 0.2")).to_be_visible()
    ask(chat, "Ahoy?")
    body = sent(fake)
    assert body["messages"][0] == {"role": "system", "content": "Answer like a sailor."}
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.2, 0.9, 50)
    assert (body["seed"], body["stop"]) == (0, ["END", "\n\n"])
    assert (body["repeat_penalty"], body["top_k"], body["min_p"]) == (1.1, 20, 0.1)
    reload(chat)
    expect(chat.get_by_text("System prompt · temperature 0.2")).to_be_visible()
    dialog = opened(chat)
    expect(dialog.get_by_label("System prompt", exact=True)).to_have_value("Answer like a sailor.")
    expect(dialog.get_by_label("Seed", exact=True)).to_have_value("0")
    done(chat)
    ask(chat, "Still?")
    assert sent(fake)["temperature"] == 0.2


def test_a_setting_changed_after_a_message_is_kept_by_the_browser(chat: Page) -> None:
    ask(chat, "First")
    opened(chat)
    fill(chat, "Temperature", "1.5")
    done(chat)
    reload(chat)
    expect(chat.get_by_text("Settings: Temperature 1.5")).to_be_visible()


def test_each_conversation_has_its_own_settings(chat: Page, fake: Running) -> None:
    opened(chat)
    fill(chat, "Temperature", "0.7")
    done(chat)
    ask(chat, "The first one")
    chat.get_by_role("button", name="New chat").click()
    expect(chat.get_by_text("Ask anything")).to_be_visible()
    assert "emperature" not in line(chat)
    ask(chat, "The second one")
    assert "temperature" not in sent(fake)
    chat.get_by_role("button", name="The first one", exact=True).click()
    expect(chat.get_by_text("Settings: Temperature 0.7")).to_be_visible()
    ask(chat, "Again")
    assert sent(fake)["temperature"] == 0.7


def test_a_reply_is_held_against_its_schema(chat: Page, fake: Running) -> None:
    opened(chat)
    fill(chat, "JSON schema", json.dumps(SCHEMA))
    done(chat)
    answer = '{\n  "city": "Genoa"\n}'
    fake.behave(reply=answer, gap_ms=300)
    box = chat.get_by_test_id("stChatInput").locator("textarea")
    box.fill("Where?")
    box.press("Enter")
    expect(chat.locator(".berth-block code.language-json")).to_contain_text('"city"')
    expect(chat.get_by_text(FIGURES)).to_have_count(1)
    said = chat.get_by_test_id("stChatMessage").filter(visible=True).last
    assert said.locator("pre code").inner_text().strip() == answer
    assert sent(fake)["response_format"]["json_schema"]["schema"] == SCHEMA
    expect(chat.get_by_text("Matches the schema")).to_be_visible()
    fake.behave(reply="", text='{"town": "Genoa"}', gap_ms=0)
    ask(chat, "And now?")
    expect(chat.get_by_role("alert")).to_contain_text("“city” is missing.")
    reload(chat)
    expect(chat.get_by_role("alert")).to_contain_text("“city” is missing.")
    expect(chat.get_by_text("Matches the schema")).to_be_visible()


def test_a_text_is_taken_also_when_the_dialog_is_closed_at_once(chat: Page, fake: Running) -> None:
    dialog = opened(chat)
    dialog.get_by_label("System prompt", exact=True).fill("Never lost.")
    dialog.get_by_role("button", name="Close").click()
    expect(chat.get_by_text("Settings: System prompt")).to_be_visible()
    ask(chat, "Well?")
    assert sent(fake)["messages"][0]["content"] == "Never lost."


def test_escape_takes_what_was_typed_and_the_page_says_what_of_it_is_not_in_use(
    chat: Page, fake: Running
) -> None:
    dialog = opened(chat)
    dialog.get_by_label("System prompt", exact=True).fill("Never lost.")
    chat.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(chat.get_by_text("Settings: System prompt")).to_be_visible()
    dialog = opened(chat)
    dialog.get_by_label("Temperature", exact=True).fill("0.3")
    chat.keyboard.press("Escape")
    expect(chat.get_by_text("Settings: System prompt · temperature 0.3")).to_be_visible()
    dialog = opened(chat)
    unfold(chat)
    dialog.get_by_label("JSON schema", exact=True).fill("{")
    chat.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(chat.get_by_text("Settings: Schema not in use · system prompt")).to_be_visible()
    ask(chat, "Well?")
    assert sent(fake)["temperature"] == 0.3
    assert "response_format" not in sent(fake)


def test_an_empty_number_steps_from_the_value_that_stands_in_grey(
    chat: Page, fake: Running
) -> None:
    dialog = opened(chat)
    field = dialog.get_by_label("Temperature", exact=True)
    expect(field).to_have_attribute("placeholder", "0.8")
    place = chat.locator('[class*="st-key-settings-temperature"]')
    place.get_by_role("button", name="Increment").click(force=True)
    expect(field).to_have_value("0.9")
    place.get_by_role("button", name="Increment").click()
    expect(field).to_have_value("1")
    penalty = dialog.get_by_label("Repetition penalty", exact=True)
    penalty.press("ArrowUp")
    expect(penalty).to_have_value("1.05")
    done(chat)
    expect(chat.get_by_text("Settings: Temperature 1 · repetition penalty 1.05")).to_be_visible()
    ask(chat, "Well?")
    assert (sent(fake)["temperature"], sent(fake)["repeat_penalty"]) == (1, 1.05)


def test_a_running_model_is_loaded_again_with_another_context(
    page: Page, home: Path, starter_file: Path
) -> None:
    with running_berth(home) as server:
        lay_starter(home, starter_file)
        page.goto(f"{server.url}/Chat")
        choose_context(page, "2,048 tokens")
        done(page)
        ask(page, "Say yes.")
        choose_context(page, "1,024 tokens")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("Loaded now with 2,048 tokens.")).to_be_visible()
        expect(dialog.get_by_text("Needs about")).to_be_visible()
        dialog.get_by_role("button", name="Load with 1,024 tokens").click()
        expect(page.get_by_text("is being loaded")).to_have_count(0)
        expect(page.get_by_text("Ready", exact=True)).to_be_visible()
        expect(opened(page).get_by_text("Loaded now with 1,024 tokens.")).to_be_visible()


def test_the_open_dialog_knows_what_became_of_the_model(
    page: Page, home: Path, starter_file: Path
) -> None:
    with running_berth(home) as server:
        lay_starter(home, starter_file)
        page.goto(f"{server.url}/Chat")
        dialog = opened(page)
        expect(dialog.get_by_text("It does not run")).to_be_visible()
        [model] = httpx.get(f"{server.url}/api/models").json()["models"]
        address = f"{server.url}/api/models/{model['name']}/start"
        httpx.post(address, json={"context": 512}, timeout=60).raise_for_status()
        fill(page, "Temperature", "0.5")
        expect(dialog.get_by_text("Loaded now with 512 tokens.")).to_be_visible()


def choose_context(page: Page, label: str) -> None:
    field = opened(page).get_by_role("combobox", name="Context length")
    field.click()
    page.get_by_role("option", name=label).click()
    expect(field).to_have_value(label)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_dialog_fits_and_keeps_what_cannot_be_used(
    chat: Page, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    chat.emulate_media(color_scheme=scheme)
    chat.set_viewport_size({"width": size[0], "height": size[1]})
    dialog = opened(chat)
    fill(chat, "Temperature", "0.2")
    fill(chat, "JSON schema", "{")
    fill(chat, "Seed", "-4")
    expect(dialog.get_by_text("A seed is a whole number")).to_be_visible()
    expect(dialog.get_by_text("This is not JSON")).to_be_visible()
    expect(dialog.get_by_label("JSON schema", exact=True)).to_have_value("{")
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    picture(chat, f"settings-{size[0]}-{scheme}")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog.get_by_label("Seed", exact=True)).to_be_focused()
    picture(chat, f"settings-{size[0]}-{scheme}-end")
    fill(chat, "Seed", "4")
    fill(chat, "JSON schema", "{}")
    expect(dialog.get_by_text("is not in use")).to_have_count(0)
    done(chat)
    expect(chat.get_by_text("Settings: JSON · temperature 0.2 · seed 4")).to_be_visible()
    picture(chat, f"settings-{size[0]}-{scheme}-closed")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
