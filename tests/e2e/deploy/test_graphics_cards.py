"""From a name to an answer on a graphics card: page, script and service are real, cards are not.

Each test has a slot of its own, and so a port of its own.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support import checkpoint_configs, weight_shapes
from tests.support.checkpoint_repos import add_checkpoint
from tests.support.hub_api import HubApi
from tests.support.server import Server, running_server
from tests.support.slots import MODEL, PLAIN, GpuServer, gpu_server

LOOK_UP_MILLISECONDS = 60_000
DEPLOY_MILLISECONDS = 120_000
BROKEN, SLOW, SEVEN = "acme/Broken-Instruct", "acme/Slow-Instruct", "acme/Seven-7B"
NO_ROOM = "ValueError: No available memory for the cache blocks. Try increasing it."
START = re.compile("^(Deploy|Replace) on slot")


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path, hub: HubApi) -> Iterator[GpuServer]:
    with gpu_server(tmp_path / "server", hub, getattr(request, "param", "eight-cards")) as found:
        found.add_model(MODEL)
        found.add_model(BROKEN, {"refuses": NO_ROOM})
        found.add_model(SLOW, {"hangs": True})
        config = checkpoint_configs.QWEN25_7B
        add_checkpoint(hub, SEVEN, config, weight_shapes.dense(config), 4)
        yield found


@pytest.fixture
def berth(machine: GpuServer) -> Iterator[Server]:
    with running_server(machine.home, machine.world()) as server:
        yield server


def choose(page: Page, berth: Server, model: str, slot: int) -> None:
    """The model on this slot, with nothing in front of the engine."""
    page.goto(f"{berth.url}/Deploy")
    page.get_by_label("Model", exact=True).fill(model)
    expect(page.get_by_role("button", name=START)).to_be_visible(timeout=LOOK_UP_MILLISECONDS)
    page.get_by_text("How it runs").click()  # opens slowly, so it comes before what takes time
    row = page.locator(f".st-key-slot-{slot}")
    row.get_by_role("button", name="Choose").click()
    expect(row.get_by_text("Chosen")).to_be_visible()
    for name in ("Behind LiteLLM", "Behind nginx"):
        page.get_by_text(name, exact=True).click()
        expect(page.get_by_role("switch", name=name)).not_to_be_checked()


def deploy(page: Page, berth: Server, model: str, slot: int) -> None:
    choose(page, berth, model, slot)
    page.get_by_role("button", name=START).click()
    expect(page).to_have_url(re.compile(r"/Deploy\?job=\d{8}-"))
    expect(page.get_by_text(f"on slot {slot}").first).to_be_visible()


def photographed(browser: Browser, url: str, name: str, act: Callable[[Page], None]) -> None:
    """Pictures on a desktop and a phone, light and dark; nothing is wider than its screen."""
    for scheme in ("light", "dark"):
        for width, height in (DESKTOP, PHONE):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto(url)
            act(page)
            whole = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
            page.set_viewport_size({"width": width, "height": max(height, whole)})
            PICTURES.mkdir(exist_ok=True)
            page.screenshot(path=PICTURES / f"cards-{name}-{width}-{scheme}.png")
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{name} is {overflow} pixels wider than the screen"
            context.close()


def shows(text: str | re.Pattern[str]) -> Callable[[Page], None]:
    """Wait until this is on the page."""
    return lambda page: expect(page.get_by_text(text).first).to_be_visible()


def test_a_model_is_put_on_a_card_and_answers(browser: Browser, page: Page, berth: Server) -> None:
    deploy(page, berth, MODEL, 2)
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    photographed(browser, page.url, "done", shows("http://127.0.0.1:8106/v1"))
    expect(page.get_by_text("http://127.0.0.1:8106/v1", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{berth.url}/v1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Chat", exact=True).click()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("What is the capital of France?")
    box.press("Enter")
    answer = page.get_by_test_id("stChatMessage").filter(visible=True).last
    expect(answer).to_contain_text("Paris", timeout=60_000)


def test_a_refusal_says_why_and_its_button_mends_it(
    browser: Browser, page: Page, berth: Server, machine: GpuServer
) -> None:
    deploy(page, berth, BROKEN, 3)
    why = "leaves no memory for conversations"
    expect(page.get_by_text(why).first).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    photographed(browser, page.url, "failed", shows(why))
    assert not machine.places.unit(3).exists()
    machine.behave(BROKEN, {})
    page.get_by_role("button", name="Retry with 16 requests at a time").click()
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    assert "--max-num-seqs 16" in machine.unit(3).replace('"', "")


def test_a_start_is_followed_after_a_reload_and_taken_back_when_cancelled(
    browser: Browser, page: Page, berth: Server, machine: GpuServer
) -> None:
    deploy(page, berth, SLOW, 4)
    told = re.compile("Making room for conversations.*left")
    doing = page.get_by_text(told)
    expect(doing).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    photographed(browser, page.url, "running", shows(told))
    page.reload()
    expect(doing).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("It was cancelled", exact=False)).to_be_visible(timeout=60_000)
    assert not machine.places.unit(4).exists()


def offered(page: Page, model: str, label: str | re.Pattern[str]) -> None:
    page.get_by_label("Model", exact=True).fill(model)
    expect(page.get_by_role("button", name=label)).to_be_visible(timeout=LOOK_UP_MILLISECONDS)


@pytest.mark.parametrize("machine", ["two-cards"], indirect=True)
def test_a_slot_in_use_fits_the_screen(browser: Browser, berth: Server, machine: GpuServer) -> None:
    assert machine.run(MODEL, "0", *PLAIN).returncode == 0
    photographed(browser, f"{berth.url}/Deploy", "used", lambda page: offered(page, SEVEN, START))


@pytest.mark.parametrize("machine", ["turing"], indirect=True)
def test_what_would_fit_fits_the_screen(browser: Browser, berth: Server) -> None:
    photographed(
        browser, f"{berth.url}/Deploy", "offers", lambda page: offered(page, SEVEN, "8-bit weights")
    )


@pytest.mark.parametrize("machine", ["no-driver"], indirect=True)
def test_what_is_missing_fits_the_screen(browser: Browser, berth: Server) -> None:
    def unfolded(page: Page) -> None:
        page.get_by_label("Model", exact=True).fill(SEVEN)
        page.get_by_text("On a GPU server").click(timeout=LOOK_UP_MILLISECONDS)
        expect(page.get_by_text("There is no NVIDIA driver").first).to_be_visible(
            timeout=LOOK_UP_MILLISECONDS
        )

    photographed(browser, f"{berth.url}/Deploy", "missing", unfolded)
