"""The System page's charts in a browser: full of a week, pointed at, renewed, and on a phone."""

import re
import time
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from lib.ui import panels
from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.server import Server, running_server
from tests.support.usage_week import lay_week

CHARTS = (
    "Processor use",
    "Memory use",
    "Read and written",
    "Received and sent",
    "Free disk space",
    "Tokens a second of replies",
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOBILE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36"
IN_PLACE = """() => [...document.querySelectorAll('[data-testid="stMain"] *')]
    .every(e => e.getBoundingClientRect().right <= innerWidth + 1)"""
LONGEST = 4_000  # pixels of a picture
MOST_PIXELS = 24  # a line


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("week") / "berth"
    home.mkdir()
    lay_week(home, time.time())
    with running_server(home, {"HF_HUB_OFFLINE": "1"}) as running:
        yield running


def chart(page: Page, name: str) -> Locator:
    return page.locator(f'.vega-embed[aria-label="{name}"]')


def picture(page: Page, name: str) -> None:
    whole = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
    width = (page.viewport_size or {"width": 0})["width"]
    page.set_viewport_size({"width": width, "height": min(whole, LONGEST)})
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_week_is_drawn_in_six_charts_of_one_time_whose_edges_stand_below_each_other(
    browser: Browser,
    server: Server,
    theme: Literal["light", "dark"],
    size: tuple[int, int],
    request: pytest.FixtureRequest,
) -> None:
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{server.url}/System")
    page.get_by_text("7 days", exact=True).click()
    for name in CHARTS:
        expect(chart(page, name).locator("svg")).to_be_visible()
    expect(page.get_by_text("Starts, stops and deployments")).to_be_visible()
    page.wait_for_function(IN_PLACE)
    lefts = {round((chart(page, name).bounding_box() or {"x": -1})["x"]) for name in CHARTS}
    assert len(lefts) == (2 if width > 1_000 else 1)
    picture(page, request.node.name)
    context.close()


def test_a_chart_tells_its_figures_where_it_is_pointed_at_and_is_not_built_anew(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/System")
    drawn = chart(page, "Memory use").locator("svg")
    expect(drawn).to_be_visible()
    drawn.evaluate("svg => { svg.isTheSame = true }")
    last = page.get_by_text(re.compile(r"up for \d+ s"))
    before = last.inner_text()
    expect(last).not_to_have_text(before)  # the page has been renewed since
    assert drawn.evaluate("svg => svg.isTheSame") is True
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 50)
    page.mouse.move(box["x"] + box["width"] - 30, box["y"] + 60)
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text("Used")
    expect(tip).to_contain_text("GiB")


def test_a_phone_unfolds_what_it_wants_to_see(browser: Browser, server: Server) -> None:
    width, height = PHONE
    context = browser.new_context(viewport={"width": width, "height": height}, user_agent=MOBILE)
    page = context.new_page()
    page.goto(f"{server.url}/System")
    for name in CHARTS[:2]:
        expect(chart(page, name).locator("svg")).to_be_visible()
    expect(chart(page, CHARTS[2])).to_have_count(0)
    page.get_by_text(panels.MORE, exact=True).click()
    for name in CHARTS[2:]:
        expect(chart(page, name).locator("svg")).to_be_visible()
    context.close()


def test_what_is_below_the_charts_does_not_move_when_they_come(page: Page, server: Server) -> None:
    """A click just then would meet another button."""
    held: list[Route] = []
    script = re.compile(r"/ArrowVegaLiteChart\..*\.js$")
    page.route(script, lambda route: held.append(route))
    page.goto(f"{server.url}/System")
    sharing = page.get_by_role("heading", name="Sharing")
    expect(sharing).to_be_visible()
    expect(page.locator(".berth-facts")).to_be_visible()
    before = sharing.bounding_box()
    assert held
    for route in held:
        route.continue_()
    for name in CHARTS:
        expect(chart(page, name)).to_be_visible()
    after = sharing.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= MOST_PIXELS
