"""The System page of machines with graphics cards, on a desk and on a phone, light and dark."""

from collections.abc import Iterator
from typing import Literal

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import lay_fake
from tests.support.cards import CardWorld, card_world
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

GIB = 2**30
LONGEST = 4_000  # pixels of a picture
SIZES = {"desk": DESKTOP, "phone": PHONE}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
IN_PLACE = """() => [...document.querySelectorAll('[data-testid="stMain"] *')]
    .every(e => e.getBoundingClientRect().right <= innerWidth + 1)"""


@pytest.fixture(scope="module", params=["two-cards", "mismatch"])
def machine(request: pytest.FixtureRequest) -> Iterator[CardWorld]:
    with card_world(request.param) as world:
        yield world


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, machine: CardWorld, fake: Running
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("cards") / "berth"
    with running_server(home, machine.environment) as running:
        lay_fake(home, fake, "qwen2.5-7b-instruct-q4_k_m")
        if "cards" in machine.answers:
            machine.runs(0, [(fake.process.pid, 39 * GIB), (psutil.Process().pid, GIB)])
        yield running


@pytest.fixture(params=[(size, theme) for size in SIZES for theme in THEMES], ids="-".join)
def visitor(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Somebody at a desk or with a phone; what the page looks like in the end is kept."""
    size, theme = request.param
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    yield page
    whole = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
    page.set_viewport_size({"width": width, "height": min(max(whole, height), LONGEST)})
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{request.node.name}.png")
    context.close()


def test_the_page_shows_the_cards_or_what_is_wrong_with_their_driver(
    visitor: Page, server: Server, machine: CardWorld
) -> None:
    visitor.goto(f"{server.url}/System")
    expect(visitor.get_by_role("heading", name="Graphics cards")).to_be_visible()
    expect(visitor.get_by_role("button", name="Share", exact=True)).to_be_visible()
    expect(visitor.locator('.vega-embed[aria-label^="Memory use"]')).to_be_visible()
    if "cards" in machine.answers:
        _expect_cards(visitor)
    else:
        expect(visitor.get_by_role("alert")).to_contain_text("Restart the machine")
    visitor.wait_for_function(IN_PLACE)  # once the charts have found their width


def _expect_cards(page: Page) -> None:
    expect(page.get_by_text("93 % busy")).to_be_visible()
    expect(page.get_by_text("qwen2.5-7b-instruct-q4_k_m", exact=True)).to_be_visible()
    expect(page.get_by_text(f"pid {psutil.Process().pid}")).to_be_visible()
    for figure in ("use", "memory"):  # after a few seconds of samples
        chart = page.locator(f'.vega-embed[aria-label="0: A100 80GB PCIe: {figure}"]')
        expect(chart).to_be_visible()
        assert (chart.bounding_box() or {"height": 0})["height"] > 80
