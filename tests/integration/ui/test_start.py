"""On the settings page: what starts Berth without a terminal, and the two ways to quit it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import lifecycle
from lib.core.errors import EngineError
from lib.core.settings import ROOT
from lib.fleet import actions
from lib.login import at_login, icon
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.visitors import GUEST, nobody_by_default

SECONDS = 30


@pytest.fixture(autouse=True)
def account(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home on a machine without systemd, and no server that could end."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "user"


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the server was told to end, in seconds from then."""
    told: list[float] = []
    monkeypatch.setattr(lifecycle, "end_soon", told.append)
    return told


def opened() -> AppTest:
    page = AppTest.from_file(ROOT / "pages/5_Settings.py", default_timeout=SECONDS).run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    parts = (page.caption, page.markdown, page.success, page.warning, page.error)
    return "\n".join(one.value for part in parts for one in part).replace("\\", "")


def switch(page: AppTest, key: str, is_on: bool) -> AppTest:
    page.toggle(key=key).set_value(is_on).run()
    assert not page.exception
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def test_an_icon_is_put_there_and_taken_away(account: Path) -> None:
    page = opened()
    assert page.toggle(key="settings_icon").value is False
    assert "So that no terminal is needed to start it." in told(page)
    switch(page, "settings_icon", True)
    assert icon.look().is_on
    assert "There is an icon to click" in told(page)
    switch(page, "settings_icon", False)
    assert not icon.look().is_on
    assert "The icon is gone; what runs goes on." in told(page)


def test_the_start_at_login_is_written_and_taken_away(account: Path) -> None:
    page = switch(opened(), "settings_at_login", True)
    assert (account / ".config/autostart/berth.desktop").exists()
    assert "It holds from your next login on." in told(page)
    switch(page, "settings_at_login", False)
    assert not at_login.look().found


def test_what_was_removed_by_hand_is_not_shown_as_there(account: Path) -> None:
    icon.put_there()
    assert opened().toggle(key="settings_icon").value is True
    icon.look().path.unlink()
    assert opened().toggle(key="settings_icon").value is False


def test_one_of_a_folder_that_was_moved_is_told_and_written_again(account: Path) -> None:
    icon.put_there()
    path = icon.look().path
    path.write_text(path.read_text().replace(str(ROOT), "/elsewhere"))
    page = opened()
    assert "It starts another folder than this one" in told(page)
    press(page, "settings_icon_again")
    assert not icon.look().is_stale
    assert "another folder" not in told(page)


def test_one_that_was_switched_off_elsewhere_is_told(account: Path) -> None:
    at_login.turn_on()
    path = at_login.look().path
    path.write_text(f"{path.read_text()}Hidden=true\n")
    page = opened()
    assert page.toggle(key="settings_at_login").value is False
    assert "switched off outside Berth" in told(page)


def test_what_is_not_berths_is_left_and_that_is_told(account: Path) -> None:
    path = icon.look().path
    path.parent.mkdir(parents=True)
    path.write_text("somebody's")
    page = opened()
    switch(page, "settings_icon", False)
    assert "is not Berth's. Move it, then try again." in told(page)
    assert path.read_text() == "somebody's"


def test_quitting_is_asked_once_and_says_that_models_go_on(home: Path, ends: list[float]) -> None:
    with running_fake() as fake:
        lay_fake(home, fake)
        page = press(opened(), "quit")
        assert "fake goes on and keeps its memory." in told(page)
        assert "Programs that ask Berth's address get no answer" in told(page)
        press(page, "quit_now")
        assert len(ends) == 1
        assert "Berth has been quit." in told(page)
        assert fake.process.poll() is None


def test_all_models_are_stopped_first_where_that_is_wanted(home: Path, ends: list[float]) -> None:
    with running_fake() as fake:
        lay_fake(home, fake)
        page = press(opened(), "quit_all")
        assert "fake is stopped." in told(page)
        press(page, "quit_now")
        assert fake.process.wait(SECONDS) is not None
        assert len(ends) == 1


def test_a_model_that_cannot_be_stopped_keeps_berth(
    home: Path, ends: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("The engine could not be ended.", "Try again later.")

    with running_fake() as fake:
        lay_fake(home, fake)
        monkeypatch.setattr(actions, "stop", refuse)
        page = press(press(opened(), "quit_all"), "quit_now")
        assert "The engine could not be ended. Try again later." in told(page)
        assert ends == []


def test_nothing_ends_where_it_is_called_off(ends: list[float]) -> None:
    page = press(press(opened(), "quit"), "quit_cancel")
    assert "goes on and keeps" not in told(page)
    assert ends == []


@pytest.mark.parametrize("name", ["5_Settings", "4_System"])
def test_a_guest_sees_none_of_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    nobody_by_default(monkeypatch)
    page = AppTest.from_file(ROOT / f"pages/{name}.py", default_timeout=SECONDS)
    page.user = dict(GUEST)
    page.run()
    assert not page.exception
    assert [one for one in page.button if "Quit" in one.label] == []
    assert [one.label for one in page.button if "quit" in one.label] == []
    assert not page.toggle
