"""Chromium as the tests start it: the machine's own where there is one, else Playwright's."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Playwright

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


@contextlib.contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()
