"""From a name to an answer on the deploy page: script and engine are real, the Hub is ours."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lib.deploy.starter import STARTER
from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.support.berth import running_berth
from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi
from tests.support.server import Server
from tests.support.shapes import add_model

LOOK_UP_MILLISECONDS = 30_000
DEPLOY_MILLISECONDS = 120_000
FAST, SLOW = 150_000_000, 25_000_000  # bytes per second: fast enough, and slow enough to act in
BUTTON = re.compile("Deploy Q4_K_M")


@pytest.fixture
def berth(home: Path, hub: HubApi) -> Iterator[Server]:
    with running_berth(home, {"HF_ENDPOINT": hub.url, "OLLAMA_HOST": "127.0.0.1:1"}) as server:
        yield server


def serve(hub: HubApi, starter_file: Path, bytes_per_second: int) -> None:
    manner = Manner(bytes_per_second=bytes_per_second)
    hub.add_file(STARTER.repo, STARTER.filename, starter_file.read_bytes(), manner)


def type_model(page: Page, berth: Server, text: str) -> None:
    page.goto(f"{berth.url}/Deploy")
    page.get_by_label("Model", exact=True).fill(text)


def deploy(page: Page, berth: Server) -> None:
    """Have the starter's Q4_K_M deployed, and see that it has begun."""
    type_model(page, berth, f"{STARTER.repo}:Q4_K_M")
    page.get_by_role("button", name=BUTTON).click(timeout=LOOK_UP_MILLISECONDS)
    expect(page.get_by_text(re.compile("Downloading [1-9][0-9]?%"))).to_be_visible(
        timeout=LOOK_UP_MILLISECONDS
    )
    expect(page).to_have_url(re.compile(r"/Deploy\?job=\d{8}-"))


def test_words_lead_to_a_model_a_deployment_and_an_answer(
    page: Page, berth: Server, hub: HubApi, starter_file: Path
) -> None:
    serve(hub, starter_file, FAST)
    type_model(page, berth, "qwen coder")
    page.get_by_role("button", name="Choose").click(timeout=LOOK_UP_MILLISECONDS)
    expect(page.get_by_text("Fits.").first).to_be_visible(timeout=LOOK_UP_MILLISECONDS)
    page.get_by_text("Q4_K_M", exact=True).click()
    page.get_by_role("button", name=BUTTON).click(timeout=LOOK_UP_MILLISECONDS)
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    expect(page.get_by_text(f"{berth.url}/v1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Chat", exact=True).click()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("What is the capital of France?")
    box.press("Enter")
    answer = page.get_by_test_id("stChatMessage").filter(visible=True).last
    expect(answer).to_contain_text("Paris", timeout=60_000)


def test_a_slow_look_up_holds_nobody_up(page: Page, berth: Server, hub: HubApi) -> None:
    type_model(page, berth, "acme/slow")
    expect(page.get_by_text("Looking it up")).to_be_visible(timeout=LOOK_UP_MILLISECONDS)
    page.get_by_label("Model", exact=True).fill("qwen coder")
    expect(page.get_by_role("button", name="Choose")).to_be_visible(timeout=5_000)
    assert not hub.asked_for("/api/models/acme/slow?")[1:]


def test_a_reload_and_a_second_browser_see_the_same_download(
    page: Page, berth: Server, hub: HubApi, starter_file: Path
) -> None:
    serve(hub, starter_file, SLOW)
    deploy(page, berth)
    page.reload()
    expect(page.get_by_text(re.compile(r"Downloading [1-9][0-9]?%"))).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.get_by_text(re.compile(r"Downloading [1-9][0-9]?%"))).to_be_visible()
    expect(other.get_by_text("of 491 MB", exact=False).first).to_be_visible()
    other.get_by_role("button", name="Cancel").click()
    expect(other.get_by_text("It was cancelled", exact=False)).to_be_visible(timeout=30_000)
    expect(page.get_by_text("It was cancelled", exact=False)).to_be_visible(timeout=30_000)
    other.context.close()


def test_a_paused_download_goes_on_where_it_was(
    page: Page, berth: Server, hub: HubApi, starter_file: Path
) -> None:
    serve(hub, starter_file, SLOW)
    deploy(page, berth)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("It is paused", exact=False)).to_be_visible(timeout=30_000)
    serve(hub, starter_file, FAST)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    last = hub.asked_for(f"/{STARTER.filename}")[-1]
    assert re.fullmatch(r"bytes=[1-9]\d{5,}-\d*", last.headers["Range"])


def test_a_failure_is_explained_and_the_choices_are_one_click_away(
    page: Page, berth: Server, hub: HubApi
) -> None:
    add_model(hub, "acme/Hollow-GGUF", {"Q4_K_M": 60_000_000})  # a header, and nothing behind it
    type_model(page, berth, "acme/Hollow-GGUF")
    page.get_by_role("button", name=BUTTON).click(timeout=LOOK_UP_MILLISECONDS)
    expect(page.get_by_text("The line that tells")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    expect(page.get_by_role("button", name="Download the log")).not_to_be_visible()  # folded
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_role("button", name="Download the log")).to_be_visible()
    page.get_by_role("button", name="Change the choices").click()
    expect(page.get_by_role("button", name=BUTTON)).to_be_visible(timeout=LOOK_UP_MILLISECONDS)


def test_neither_page_asks_anything_of_another_host(
    page: Page, berth: Server, hub: HubApi, starter_file: Path
) -> None:
    serve(hub, starter_file, FAST)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    type_model(page, berth, STARTER.repo)
    expect(page.get_by_role("button", name=re.compile("Deploy Q"))).to_be_visible(
        timeout=LOOK_UP_MILLISECONDS
    )
    page.goto(f"{berth.url}/System")
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible(timeout=LOOK_UP_MILLISECONDS)
    assert asked
    assert [url for url in asked if not url.startswith((berth.url, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_choices_fit_the_screen(
    browser: Browser,
    berth: Server,
    hub: HubApi,
    starter_file: Path,
    scheme: str,
    size: tuple[int, int],
) -> None:
    serve(hub, starter_file, FAST)
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    type_model(page, berth, STARTER.repo)
    expect(page.get_by_role("button", name=re.compile("Deploy Q"))).to_be_visible(
        timeout=LOOK_UP_MILLISECONDS
    )
    page.screenshot(path=PICTURES / f"deploy-{size[0]}-{scheme}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"Deploy is {overflow} pixels wider than the screen"
    context.close()
