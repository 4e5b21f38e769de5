"""From the page of a GPU server to an answer through nginx, LiteLLM and vLLM, and back again.

All is real but the card; the browser stands in the server's own network.
"""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import ROOT
from tests.gpu.test_deployment import FOLDERS, ask, changed, key
from tests.support.browser import launched
from tests.support.slot_box import SlotBox
from tests.support.tiny_hub import FIRST
from tests.support.waiting import eventually

PORT = 8501
URL = f"http://127.0.0.1:{PORT}"
PICTURES = Path(os.environ.get("BERTH_TEST_PICTURES", "test-results"))
DEPLOY_MILLISECONDS = 600_000
STEP_MILLISECONDS = 60_000
BEFORE: dict[str, str] = {}


@pytest.fixture(scope="module")
def dashboard(server: SlotBox) -> Iterator[None]:
    """Berth as the server's administrator runs it."""
    BEFORE.update(server.files(*FOLDERS))
    run = f'exec "{sys.executable}" -m lib.server --port {PORT} >/run/berth.log 2>&1'
    line = f'cd "{ROOT}" && {run}'
    process = server.box.start("sh", "-c", line, world=server.world)
    assert process.stdout
    try:
        status = ("-o", "/dev/null", "-w", "%{http_code}", f"{URL}/api/health")
        assert eventually(lambda: server.curl(*status).stdout == "200", 60)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


@pytest.fixture
def page(server: SlotBox, dashboard: None, tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright, launched(playwright, server.box.inside) as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 1600})
        context.set_default_timeout(STEP_MILLISECONDS)
        opened = context.new_page()
        try:
            yield opened
        finally:
            PICTURES.mkdir(exist_ok=True)
            opened.screenshot(path=PICTURES / "gpu-page.png", full_page=True)
            context.close()


def test_a_model_is_deployed_asked_and_removed(page: Page, server: SlotBox) -> None:
    page.goto(f"{URL}/Deploy")
    page.get_by_label("Model", exact=True).fill(FIRST)
    button = page.get_by_role("button", name=re.compile("^Deploy on slot 0"))
    expect(button).to_be_enabled(timeout=STEP_MILLISECONDS)
    button.click()
    expect(page.get_by_text("Succeeded")).to_be_visible(timeout=DEPLOY_MILLISECONDS)
    page.screenshot(path=PICTURES / "gpu-page-deployed.png", full_page=True)
    expect(page.get_by_text("http://127.0.0.1:8100/v1", exact=True)).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    for level in ("engine", "nginx", "LiteLLM"):
        expect(page.get_by_text(re.compile(f"passed: .*{level}")).first).to_be_attached()

    said = ask(server, "http://127.0.0.1:8100/v1", key(server, "litellm.env"), "Tiny-First")
    assert said.count("data: {") >= 5
    assert said.rstrip().endswith("data: [DONE]")

    page.get_by_role("button", name="Chat", exact=True).click()
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("What is the capital of France?")
    box.press("Enter")
    expect(page.get_by_text(re.compile("first token"))).to_be_visible(timeout=STEP_MILLISECONDS)
    page.screenshot(path=PICTURES / "gpu-page-chat.png")

    page.goto(f"{URL}/Models")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name=re.compile("^Remove")).click()
    page.get_by_test_id("stDialog").get_by_role("button", name=re.compile("^Remove")).click()
    expect(page.get_by_text("Slot 0 is empty.").first).to_be_visible(timeout=STEP_MILLISECONDS * 3)
    backups = {f"/etc/{name}-" for name in ("group", "gshadow", "passwd", "shadow")}
    assert set(changed(BEFORE, server.files(*FOLDERS))) <= backups
