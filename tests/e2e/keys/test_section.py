"""The owner makes a key in the browser; what the page shows works when it is pasted."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, PICTURES
from tests.e2e.test_accessibility import SMALLEST, WIDTH, broken
from tests.support.engines import register
from tests.support.fake_engine import running_fake
from tests.support.guests import shared_server
from tests.support.keys import changed, made
from tests.support.server import Server

SAID = "Paris is the capital of France."
VIEWS = [
    pytest.param(size, scheme, id=f"{size[0]}-{scheme}")
    for size in (DESKTOP, PHONE)
    for scheme in ("light", "dark")
]


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A Berth that is shared, with a model that answers."""
    home = tmp_path_factory.mktemp("berth")
    with running_fake("--text", SAID) as fake, shared_server(home) as (server, url):
        register(server.home, fake)
        yield server, url


def shown(page: Page, has: str) -> str:
    """The text to copy that has this in it."""
    found = page.get_by_test_id("stCode").filter(has_text=re.compile(has))
    expect(found).to_be_visible()
    return found.inner_text().strip()


def test_a_key_is_made_and_what_is_shown_works_as_it_is_pasted(
    page: Page, berth: tuple[Server, str]
) -> None:
    server, url = berth
    page.goto(f"{server.url}/Connect")
    fill(page, "laptop")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("is made.")).to_be_visible()
    secret = shown(page, r"^\s*berth-[a-z2-7]{52}\s*$")
    expect(page.get_by_alt_text("QR code of the API key")).to_be_visible()

    curl = shown(page, "^curl")
    assert f"{url}/v1" in curl
    assert SAID in said_by(["bash", "-c", curl])
    page.get_by_role("radio", name="Python").click()
    assert said_by([sys.executable, "-c", shown(page, "import OpenAI")]).strip() == SAID
    page.get_by_role("radio", name="On this machine").click()
    here = page.get_by_test_id("stCode").filter(has_text=re.compile("import OpenAI"))
    expect(here).to_contain_text(server.url)
    assert said_by([sys.executable, "-c", shown(page, "import OpenAI")]).strip() == SAID

    assert secret not in page.url
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text("is made.")).to_have_count(0)
    assert secret not in page.content()
    page.reload()
    expect(page.get_by_text(f"{secret[:10]}…")).to_be_visible()
    assert secret not in page.content()

    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    refused = json.loads(said_by(["bash", "-c", curl]))
    assert refused["error"]["code"] == "api_key_disabled"
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the key").click()
    expect(page.get_by_text(f"{secret[:10]}…")).to_have_count(0)
    assert httpx.get(f"{server.url}/api/keys").json() == {"keys": []}


def fill(page: Page, name: str) -> None:
    """Once all fields are there: their scripts come one by one, and each moves the button."""
    for field in ("Requests a minute", "Tokens a day"):
        expect(page.get_by_role("spinbutton", name=field)).to_be_visible()
    expect(page.get_by_role("combobox", name="Models")).to_be_visible()
    expect(page.get_by_role("group", name="Expires")).to_be_visible()
    page.get_by_role("textbox", name="Name").fill(name)


def said_by(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout or done.stderr


@pytest.mark.parametrize(("size", "scheme"), VIEWS)
def test_the_section_breaks_no_rule_of_wcag_and_fits_the_smallest_phone(
    browser: Browser, berth: tuple[Server, str], size: tuple[int, int], scheme: str
) -> None:
    server, _ = berth
    name = f"for {size[0]} {scheme}"
    made(server, name, models=["fake"], per_minute=20, tokens_a_day=10_000)
    changed(server, made(server, f"off {name}")[0], is_disabled=True)
    width, height = size
    view = {"width": width, "height": height}
    context = browser.new_context(
        viewport=view,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # for the rules' own script
    )
    page = context.new_page()
    page.goto(f"{server.url}/Connect")
    expect(page.get_by_text(name, exact=True)).to_be_visible()
    page.get_by_text("New key").first.click()
    fill(page, f"made {size[0]} {scheme}")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_alt_text("QR code of the API key")).to_be_visible()
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"keys-{size[0]}-{scheme}.png", full_page=True)
    page.get_by_role("button", name="Change").first.click()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    assert broken(page) == []
    for narrow in (width, SMALLEST):
        page.set_viewport_size({"width": narrow, "height": height})
        page.wait_for_function(f"{narrow} >= ({WIDTH})()")
    context.close()
