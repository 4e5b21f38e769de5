"""The models page with the real engine: start, endpoint, stop, remove."""

from pathlib import Path

from playwright.sync_api import Page, expect

from lib.core.settings import settings
from lib.fleet.removals import UNDO_SECONDS
from tests.support import tiny_gguf
from tests.support.berth import running_berth

START_MILLISECONDS = 30_000


def test_a_model_is_started_stopped_and_removed(page: Page, home: Path) -> None:
    file = settings().models / "tiny.gguf"
    tiny_gguf.write_tiny(file)
    with running_berth(home) as berth:
        page.goto(f"{berth.url}/Models")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=START_MILLISECONDS)
        page.get_by_role("button", name="More").click()
        expect(page.get_by_text("Context trained").first).to_be_visible()  # the facts come first
        page.get_by_text("Endpoints", exact=True).click()
        expect(page.get_by_text(f"{berth.url}/v1", exact=True)).to_be_visible()
        expect(page.get_by_text('"model": "tiny"', exact=False).first).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=START_MILLISECONDS)
        page.get_by_role("button", name="Remove").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("tiny")
        dialog.get_by_role("button", name="Keep").click()
        expect(dialog).to_be_hidden()
        assert file.exists()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Removed", exact=True)).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Stopped", exact=True)).to_be_visible()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Removed", exact=True)).to_be_visible()
        assert file.exists()
        begin = page.get_by_role("button", name="Deploy a model")
        expect(begin).to_be_visible(timeout=2 * 1_000 * UNDO_SECONDS)
        assert not file.exists()


def test_a_broken_file_says_what_is_wrong_and_is_never_started(page: Page, home: Path) -> None:
    tiny_gguf.write_truncated(settings().models / "cut.gguf")
    with running_berth(home) as berth:
        page.goto(f"{berth.url}/Models")
        expect(page.get_by_text("Failed", exact=True)).to_be_visible()
        expect(page.get_by_role("alert").first).to_contain_text("cut")
        page.get_by_role("button", name="Start").click()
        page.wait_for_timeout(1_500)
        expect(page.get_by_text("Failed", exact=True)).to_be_visible()
