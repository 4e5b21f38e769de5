"""Chromium, and pictures of what it saw."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import launched

PICTURES = Path(os.environ.get("BERTH_TEST_PICTURES", "test-results"))
DESKTOP = (1280, 800)
PHONE = (390, 844)

expect.set_options(timeout=30_000)  # a busy machine is slow, not broken


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright) as started:
        yield started


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh visitor; a bug in the page's own script fails the test."""
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    PICTURES.mkdir(exist_ok=True)
    opened.screenshot(path=PICTURES / f"{request.node.name}.png")
    context.close()
    assert errors == []
