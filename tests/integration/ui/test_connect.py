"""The page Connect: programs are found, told apart, changed and put back; guests see nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.preferences import change
from lib.sharing import listener
from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.tiny_gguf import write_tiny
from tests.support.visitors import GUEST, nobody_by_default

VARIABLES = (
    "CODEX_HOME",
    "CLAUDE_CONFIG_DIR",
    "CONTINUE_GLOBAL_DIR",
    "XDG_CONFIG_HOME",
    "LLM_USER_PATH",
)
PAGE = ROOT / "pages/6_Connect.py"
BEFORE = '{\n  "theme": "dark"\n}\n'


@pytest.fixture
def person(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's home folder, on a machine with one model that runs."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", "")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with running_fake() as fake:
        lay_fake(home, fake)
        yield folder


@pytest.fixture
def claude(person: Path) -> Path:
    path = person / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(BEFORE)
    return path


def opened() -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=30).run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    parts = (page.caption, page.markdown, page.info, page.error)
    return "\n".join(str(one.value) for part in parts for one in part).replace("\\", "")


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


@pytest.mark.usefixtures("person")
def test_a_machine_without_programs_is_told_what_can_be_connected() -> None:
    page = opened()
    assert "None of the programs" in told(page)
    assert all(name in told(page) for name in ("Codex", "Claude Code", "Open WebUI"))
    assert not [one for one in page.button if str(one.key).startswith("connect_make")]


def test_a_program_is_changed_and_put_back(claude: Path) -> None:
    page = opened()
    assert '+    "ANTHROPIC_MODEL": "fake",' in page.code[0].value
    assert claude.read_text() == BEFORE
    page = press(page, "connect_make_claude")
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_MODEL"] == "fake"
    assert "It asks Berth from its next start on" in told(page)
    assert "settings.json.before-berth" in told(page)
    page = press(page, "connect_undo_claude")
    assert claude.read_text() == BEFORE
    assert "to the letter" in told(page)
    assert page.button(key="connect_make_claude").label == "Use Berth"


def test_another_model_is_offered_to_a_program_that_asks_one(claude: Path, home: Path) -> None:
    write_tiny(home / "models" / "other.gguf")
    page = press(opened(), "connect_make_claude")
    page.selectbox(key="connect_model").set_value("other").run()
    assert "It asks fake at `http://127.0.0.1:" in told(page)
    page = press(page, "connect_make_claude")
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_MODEL"] == "other"
    press(page, "connect_undo_claude")
    assert claude.read_text() == BEFORE


def test_a_file_that_changes_under_the_page_is_not_written_over(claude: Path) -> None:
    page = opened()
    claude.write_text('{"theme": "light"}')
    page = press(page, "connect_make_claude")
    assert "was changed a moment ago" in told(page)
    assert claude.read_text() == '{"theme": "light"}'


def test_what_cannot_be_read_is_said_and_has_no_button(claude: Path) -> None:
    claude.write_text("{ theme }")
    page = opened()
    assert "no JSON from line 1 on" in told(page)
    assert not [one for one in page.button if one.key == "connect_make_claude"]


def test_where_a_key_is_asked_for_it_is_written_into_the_settings(claude: Path) -> None:
    change(require_key=True)
    page = opened()
    assert page.button(key="connect_make_claude").disabled
    page.text_input(key="connect_key").set_value("brt-1234").run()
    page = press(page, "connect_make_claude")
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"] == "brt-1234"


@pytest.mark.usefixtures("person")
def test_copies_have_this_machines_address_until_berth_is_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = opened()
    assert "not shared with the network" in told(page)
    assert 'base_url = "http://127.0.0.1:' in page.code[-1].value
    shared = SimpleNamespace(url="http://192.168.1.7:8501")
    monkeypatch.setattr(listener, "current", lambda: shared)
    page = opened()
    assert 'base_url = "http://192.168.1.7:8501/v1"' in page.code[-1].value
    assert 'experimental_bearer_token = "YOUR-KEY"' in page.code[-1].value


@pytest.mark.usefixtures("claude")
def test_a_guest_sees_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_by_default(monkeypatch)
    page = AppTest.from_file(PAGE, default_timeout=30)
    page.user = dict(GUEST)
    page.run()
    assert not page.exception
    assert "matter of the owner" in told(page)
    assert "settings.json" not in told(page)
    assert not page.button
