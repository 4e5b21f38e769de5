"""Chromium as the tests start it: the machine's own where there is one, else Playwright's."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, Playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

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
