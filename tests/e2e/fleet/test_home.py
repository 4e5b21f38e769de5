"""Home in a browser: ticks and figures come by themselves, and nothing is moved by them."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESKTOP, PHONE
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.gateway import HELLO, post
from tests.support.server import Server, running_server

AHEAD, DONE = "radio_button_unchecked", "check_circle"


def step(page: Page, said: str, mark: str) -> None:
    """This step has this mark before it."""
    row = page.locator(".st-key-guide").locator("p").filter(has_text=said)
    expect(row).to_contain_text(mark)


def ask(server: Server) -> None:
    assert post(server, HELLO).status_code == 200


def test_the_first_steps_tick_by_themselves_and_go_for_good(page: Page, home: Path) -> None:
    with running_fake() as fake, running_server(home) as server:
        lay_fake(home, fake)
        page.goto(server.url)
        step(page, "A model is here", DONE)
        step(page, "A program has asked it", AHEAD)
        ask(server)
        step(page, "A program has asked it", DONE)
        page.get_by_role("link", name="Ask it something").click()
        page.get_by_test_id("stChatInput").get_by_role("textbox").fill("Hello")
        page.keyboard.press("Enter")
        expect(page.get_by_text("t19")).to_be_visible()
        page.get_by_role("link", name="Home").click()
        step(page, "You have asked it something", DONE)
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.locator(".st-key-guide")).to_have_count(0)
        page.reload()
        expect(page.get_by_text("2 requests")).to_be_visible()
        expect(page.locator(".st-key-guide")).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_is_served_changes_figures_and_moves_nothing(
    page: Page, home: Path, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    with running_fake() as fake, running_server(home) as server:
        (home / "settings.toml").write_text("guide_is_over = true\n")
        lay_fake(home, fake)
        page.goto(server.url)
        strip = page.get_by_role("img", name="fake: no tokens in the last 30 minutes")
        expect(strip).to_be_visible()
        places = [page.get_by_text("OpenAI address"), page.get_by_role("button", name="Stop")]
        before = [place.bounding_box() for place in places]
        ask(server)
        expect(page.get_by_role("img", name="fake: 20 tokens in the last")).to_be_visible()
        expect(page.get_by_text("programs 1")).to_be_visible()
        assert [place.bounding_box() for place in places] == before


def test_the_address_for_programs_is_one_click_away(page: Page, home: Path) -> None:
    with running_fake() as fake, running_server(home) as server:
        (home / "settings.toml").write_text("guide_is_over = true\n")
        lay_fake(home, fake)
        page.goto(server.url)
        page.get_by_role("button", name="OpenAI address").click()
        address = page.get_by_text(f"{server.url}/v1", exact=True)
        expect(address).to_be_visible()
        ask(server)
        expect(page.get_by_text("programs 1")).to_be_visible()
        expect(address).to_be_visible()  # new figures do not close it
