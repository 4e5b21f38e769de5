"""The doctor in a browser: a fault is seen in the sidebar, mended by its button, and gone."""

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.server import Server, running_server

CHATTY = "settings.toml is no TOML file"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Berth whose home is open to others and whose settings are broken."""
    home = tmp_path_factory.mktemp("doctor") / "berth"
    home.mkdir()
    home.chmod(0o755)
    (home / "settings.toml").write_text("guests = [")
    with running_server(home) as started:
        yield started


def test_a_finding_is_seen_mended_and_gone_and_another_is_ignored(
    page: Page, server: Server
) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="need you").or_(
        page.get_by_role("button", name="needs you")
    ).click()
    expect(page.get_by_role("heading", name="Doctor")).to_be_visible()
    page.get_by_role("button", name="Close it").click()
    expect(page.get_by_text("Other accounts of this machine may look into")).to_have_count(0)
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    row = page.locator('[class*="st-key-finding-"]').filter(has_text=CHATTY)
    row.get_by_role("button", name="Ignore").click()
    expect(row).to_have_count(0)
    page.get_by_text("Ignored (1)").click()
    page.get_by_role("button", name="Show again").click()
    expect(row).to_be_visible()


def test_the_bundle_is_listed_and_then_comes_as_a_file(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/System")
    page.get_by_text("Support bundle").click()
    page.get_by_role("button", name="Put it together").click()
    expect(page.get_by_text("what the doctor found")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename.startswith("berth-support-")
    with zipfile.ZipFile(Path(download.value.path())) as file:
        assert "berth-support/findings.txt" in file.namelist()
