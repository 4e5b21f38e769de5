"""The folder of the models: chosen, what is there moved with progress, and used afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A Berth of its own, with a model in its usual folder."""
    write_tiny(tmp_path / "berth" / "models" / "acme" / "Tiny-GGUF" / ("a" * 40) / "tiny.gguf")
    with running_server(tmp_path / "berth") as server:
        yield server


def test_models_are_moved_to_another_folder_and_start_there(
    page: Page, own: Server, tmp_path: Path
) -> None:
    page.goto(f"{own.url}/Settings")
    field = page.get_by_role("textbox", name="Folder for models")
    field.fill("disk")
    page.get_by_role("button", name="Save the folder").click()
    expect(page.get_by_text("“disk” is not the whole path.")).to_be_visible()
    field.fill(str(tmp_path / "disk"))
    page.get_by_role("button", name="Save the folder").click()
    expect(page.get_by_text("All can be used where they are.")).to_be_visible()
    page.get_by_role("button", name="Move 1 model").click()
    expect(page.get_by_text(f"All models lie in {tmp_path / 'disk'} now.")).to_be_visible()
    assert [*(tmp_path / "disk").rglob("tiny.gguf")]
    assert not [*(own.home / "models").rglob("*.gguf")]
    page.goto(f"{own.url}/Models")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Ready", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).first.click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()


def test_a_disk_that_is_gone_is_told_on_home_after_a_start(page: Page, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with running_server(tmp_path / "berth") as server:
        page.goto(f"{server.url}/Settings")
        page.get_by_role("textbox", name="Folder for models").fill(str(disk))
        page.get_by_role("button", name="Save the folder").click()
        expect(page.get_by_text("Saved. What is downloaded")).to_be_visible()
    disk.rename(tmp_path / "unplugged")
    with running_server(tmp_path / "berth") as server:
        page.goto(server.url)
        told = f"The folder with your models, {disk}, is not there. Connect its disk."
        expect(page.get_by_text(told)).to_be_visible(timeout=60_000)
    assert not disk.exists()
