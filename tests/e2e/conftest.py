"""Chromium, pictures of what it saw, and a Berth with a fake model for the tests of one file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.berth import lay_fake
from tests.support.browser import launched
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server, running_server

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


@pytest.fixture(scope="module")
def fake() -> Iterator[Running]:
    """An engine that says what the test wants."""
    with running_fake("--context", "1000000") as engine:
        yield engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fake: Running) -> Iterator[Server]:
    """A Berth in which that engine runs."""
    home = tmp_path_factory.mktemp("shared") / "berth"
    with running_server(home) as started:
        lay_fake(home, fake)
        yield started


@pytest.fixture
def berth(server: Server, fake: Running) -> Server:
    """The same, its engine as it began."""
    fake.afresh()
    return server


@pytest.fixture
def chat(page: Page, server: Server, fake: Running) -> Page:
    """A chat page that remembers nothing yet."""
    fake.afresh().behave(tokens=20, gap_ms=0, prefill_ms=0)
    page.goto(f"{server.url}/Chat")
    expect(page.get_by_role("button", name="New chat")).to_be_visible()
    return page
