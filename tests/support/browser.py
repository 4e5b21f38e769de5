"""Chromium as the tests start it: the machine's own where there is one, else Playwright's."""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

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
def launched(
    playwright: Playwright, through: Callable[[str], list[str]] | None = None
) -> Iterator[Browser]:
    """A headless browser; `through` makes the command that runs it elsewhere."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    with contextlib.ExitStack() as stack:
        if through:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            found = _wrapped(through(found or playwright.chromium.executable_path), Path(folder))
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        stack.callback(browser.close)
        yield browser


def _wrapped(command: list[str], folder: Path) -> str:
    """One program that does what this command does."""
    program = folder / "browser"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return str(program)
