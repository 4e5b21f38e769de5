"""The page Connect in a browser: settings are seen, changed and put back; on a phone too."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running
from tests.support.server import Server, running_server

BEFORE = '# mine\nmodel = "gpt-5" # good\n'


@pytest.fixture
def codex(tmp_path: Path) -> Path:
    """Somebody's settings of Codex."""
    path = tmp_path / "person" / ".codex" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(BEFORE, encoding="utf-8")
    return path


@pytest.fixture
def own(tmp_path: Path, codex: Path, fake: Running) -> Iterator[Server]:
    """A Berth of that person, with a model that runs."""
    world = {"HOME": str(codex.parents[1]), "CODEX_HOME": "", "XDG_CONFIG_HOME": ""}
    with running_server(tmp_path / "berth", world) as server:
        lay_fake(server.home, fake)
        yield server


def test_settings_of_an_agent_are_shown_changed_and_put_back(
    page: Page, own: Server, codex: Path
) -> None:
    page.goto(f"{own.url}/Connect")
    page.get_by_text("What changes in config.toml").click()
    expect(page.get_by_text('model_provider = "berth"').first).to_be_visible()
    page.get_by_role("button", name="Use Berth").first.click()
    expect(page.get_by_text("It asks Berth from its next start on.")).to_be_visible()
    expect(page.get_by_text("Uses Berth", exact=True)).to_be_visible()
    assert f'base_url = "{own.url}/v1"' in codex.read_text("utf-8")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Its settings are what they were, to the letter.")).to_be_visible()
    assert codex.read_text("utf-8") == BEFORE
    sideways = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert page.evaluate(sideways) is False


def test_copies_for_other_machines_are_texts_of_each_program(page: Page, own: Server) -> None:
    page.goto(f"{own.url}/Connect")
    page.get_by_text("Copies for other machines").last.click()
    for program, text in (
        ("Claude Code", "ANTHROPIC_BASE_URL"),
        ("OpenCode", "@ai-sdk/openai-compatible"),
        ("Open WebUI", "OPENAI_API_BASE_URL"),
    ):
        page.get_by_role("radio", name=program).click()
        expect(page.get_by_text(text).first).to_be_visible()
