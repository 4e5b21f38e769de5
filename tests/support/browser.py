"""Chromium as the tests start it: the machine's own where there is one, else Playwright's."""

import contextlib
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The first is Chromium without a window system: the same pages in three quarters of the time.
PROGRAMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

AT_REST = """() =>
    document.querySelector('[data-testid="stApp"]').dataset.testScriptState === "notRunning" """
IDLE = "() => new Promise((done) => requestIdleCallback(done, { timeout: 1000 }))"


def reload(page: Page) -> None:
    """Load the page again, once it has kept what it shows: nobody is quicker than that."""
    page.wait_for_function(AT_REST)
    page.evaluate(IDLE)
    page.reload()


@contextlib.contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()


def forget(context: BrowserContext) -> None:
    """Close every page of it, and whatever they have kept: the next visitor is a stranger.

    What was downloaded stays, as scripts do in a browser that has been here before.
    """
    origins = {origin_of(page.url) for page in context.pages} - {""}
    left = context.new_page()  # nothing of the others runs any more when it is forgotten
    for page in context.pages:
        if page is not left:
            page.close()
    browser = context.new_cdp_session(left)
    for origin in origins:
        browser.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
    context.clear_cookies()
    context.clear_permissions()
    left.close()


def origin_of(url: str) -> str:
    """Scheme, host and port; "" where nothing was opened."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
