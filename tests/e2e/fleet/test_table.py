"""The models page with many models: a table that is sorted, chosen from, and fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import PHONE
from tests.support.berth import running_berth
from tests.support.server import Server
from tests.support.tiny_gguf import write_tiny

COUNT = 20
TABLE = ".berth-mt"


@pytest.fixture
def many(home: Path) -> Iterator[Server]:
    """A Berth with so many models; the last one has the longest context."""
    for number in range(COUNT):
        write_tiny(home / "models" / f"model-{number:02}.gguf", context=256 + number)
    with running_berth(home) as berth:
        yield berth


@pytest.fixture
def opened(page: Page, many: Server) -> Page:
    page.goto(f"{many.url}/Models")
    expect(page.locator(f"{TABLE} tbody tr")).to_have_count(COUNT)
    return page


def names(page: Page) -> list[str]:
    return page.locator(f"{TABLE} tbody th button").all_inner_texts()


def choose(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Choose {name}")


def test_a_heading_sorts_and_says_so(opened: Page) -> None:
    assert names(opened)[0] == "Model 00"
    opened.get_by_role("columnheader").get_by_role("button", name="Context").click()
    heading = opened.get_by_role("columnheader", name="Context")
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert names(opened)[0] == f"Model {COUNT - 1}"
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert names(opened)[0] == "Model 00"
    opened.get_by_label("Search").fill("model-1")
    opened.get_by_label("Search").press("Enter")
    expect(opened.locator(f"{TABLE} tbody tr")).to_have_count(10)


def test_what_was_chosen_stays_chosen_and_is_removed_together(opened: Page, home: Path) -> None:
    for number in (3, 5, 7):
        choose(opened, f"Model {number:02}").check()
    expect(opened.get_by_text("3 chosen")).to_be_visible()
    opened.get_by_role("columnheader").get_by_role("button", name="Context").click()
    expect(opened.locator(f"{TABLE} tbody th button").first).to_have_text(f"Model {COUNT - 1}")
    for number in range(COUNT):
        expect(choose(opened, f"Model {number:02}")).to_be_checked(checked=number in (3, 5, 7))
    choose(opened, "Model 05").uncheck()
    opened.get_by_role("button", name="Remove 2").click()
    dialog = opened.get_by_role("dialog")
    expect(dialog).to_contain_text("Model 03")
    expect(dialog).not_to_contain_text("Model 05")
    dialog.get_by_role("button", name="Remove 2").click()
    undo = opened.get_by_role("button", name="Undo the removal of Model 03")
    undo.click()
    expect(undo).to_be_hidden()
    expect(opened.locator(f"{TABLE} tbody tr")).to_have_count(COUNT - 1, timeout=60_000)
    left = {path.stem for path in (home / "models").glob("*.gguf")}
    assert {f"model-{number:02}" for number in range(COUNT)} - left == {"model-07"}


def test_all_are_chosen_at_once_and_details_open_with_the_keyboard(opened: Page) -> None:
    choose(opened, "all that are shown").check()
    expect(opened.get_by_text(f"{COUNT} chosen")).to_be_visible()
    opened.get_by_role("button", name="Clear").click()
    expect(choose(opened, "Model 04")).not_to_be_checked()
    opened.get_by_role("button", name="Model 04").focus()
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("button", name="Model 04")).to_have_attribute("aria-expanded", "true")
    expect(opened.get_by_role("button", name="Model 04")).to_be_focused()
    expect(opened.get_by_text("Context trained").first).to_be_visible()


def test_on_a_phone_name_and_state_are_seen_and_nothing_stands_out(
    browser: Browser, many: Server
) -> None:
    context = browser.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{many.url}/Models")
    expect(page.locator(f"{TABLE} tbody tr")).to_have_count(COUNT)
    for heading in ("Model", "State", "Disk"):
        expect(page.get_by_role("columnheader", name=heading)).to_be_in_viewport(ratio=1)
    for wide in (TABLE, "html"):
        assert page.locator(wide).evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    choose(page, "Model 00").tap()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.get_by_role("button", name="Model 01").tap()
    expect(page.locator(".st-key-models_opened")).to_be_in_viewport()
    expect(page.get_by_text("Context trained").first).to_be_visible()
    assert page.locator("html").evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    context.close()


def test_the_javascript_works_in_the_pages_console_too(opened: Page) -> None:
    opened.get_by_role("button", name="Model 04").click()
    opened.get_by_role("button", name="Start", exact=True).last.click()
    expect(opened.get_by_text("Ready").first).to_be_visible()
    opened.get_by_text("Endpoints", exact=True).click()
    opened.get_by_text("JavaScript", exact=True).click()
    code = opened.locator("code", has_text="await fetch(")
    expect(code).to_be_visible()
    with opened.expect_console_message(timeout=60_000) as said:
        opened.evaluate(f"(async () => {{ {code.inner_text()} }})()")
    assert said.value.type == "log"
    assert said.value.text not in ("", "undefined")
    opened.get_by_role("button", name="Stop", exact=True).last.click()
    expect(opened.get_by_text("Ready")).to_have_count(0)
