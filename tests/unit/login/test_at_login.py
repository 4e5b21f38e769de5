"""What is written so that Berth starts at login, and what is told of what is there."""

import os
import plistlib
import shutil
import sys
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Conflict, Forbidden
from lib.core.settings import ROOT, settings
from lib.doctor.checks import autostart as check
from lib.login import __main__ as command
from lib.login import at_login
from tests.support.desktop import executed, parsed
from tests.support.unit_files import parsed as parsed_unit

BASH = shutil.which("bash")
SETUP = str(ROOT / "setup.sh")


def told(account: Path) -> list[str]:
    log = account / "systemctl.log"
    return log.read_text().splitlines() if log.exists() else []


def test_it_is_written_for_this_folder_and_this_home_and_taken_away_again(account: Path) -> None:
    assert not at_login.look().is_on
    said = at_login.turn_on()
    assert "starts when you log in" in said
    assert "loginctl enable-linger" in said
    now = at_login.look()
    assert now.path == account / "user/.config/systemd/user/berth.service"
    assert (now.is_on, now.is_stale) == (True, False)
    service = parsed_unit(now.found)["Service"]
    assert ("WorkingDirectory", str(ROOT)) in service
    assert ("KillMode", "process") in service  # or the models would end with it
    assert ("Restart", "on-failure") in service  # not after it was quit
    assert ("Environment", f'"BERTH_HOME={settings().home}"') in service
    assert ("ExecStart", f"{BASH} {SETUP} serve --port 8501") in service
    assert "hf_secret" not in now.found
    at_login.turn_off()
    assert not at_login.look().found
    assert told(account) == [
        *("--user daemon-reload", "--user enable berth.service"),
        *("--user disable berth.service", "--user daemon-reload"),
    ]


def test_where_systemd_refuses_the_desktop_starts_it(
    monkeypatch: pytest.MonkeyPatch, account: Path
) -> None:
    monkeypatch.setenv("REFUSES", "yes")
    assert "autostart entry of your desktop" in at_login.turn_on()
    assert not (account / "user/.config/systemd/user/berth.service").exists()
    now = at_login.look()
    assert now.path == account / "user/.config/autostart/berth.desktop"
    assert (now.is_on, now.is_stale) == (True, False)


def test_without_systemd_the_desktop_starts_it_in_the_background(account: Path) -> None:
    (account / "run/systemd/system").rmdir()
    at_login.turn_on(9_000)
    assert told(account) == []
    words = executed(parsed(at_login.look().found))
    assert words[0] == "env"
    assert f"BERTH_HOME={settings().home}" in words
    assert words[-6:] == [BASH, SETUP, "open", "--port", "9000", "--no-browser"]
    assert at_login.before_login() == ""
    at_login.turn_off()
    assert not at_login.look().found


def test_a_unit_takes_the_place_of_an_entry_of_before(account: Path) -> None:
    (account / "run/systemd/system").rmdir()
    at_login.turn_on()
    (account / "run/systemd/system").mkdir()
    assert at_login.look().is_on
    at_login.turn_on()
    assert at_login.look().path.name == "berth.service"
    assert not (account / "user/.config/autostart/berth.desktop").exists()


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_an_entry_that_was_switched_off_in_the_desktop_is_not_called_on(
    account: Path, line: str
) -> None:
    (account / "run/systemd/system").rmdir()
    at_login.turn_on()
    path = at_login.look().path
    path.write_text(f"{path.read_text()}{line}\n")
    now = at_login.look()
    assert (now.is_on, now.is_switched_off) == (False, True)
    at_login.turn_on()
    assert at_login.look().is_on


def test_a_unit_that_was_disabled_by_hand_is_not_called_on(account: Path) -> None:
    at_login.turn_on()
    (account / "user/.config/systemd/user/default.target.wants/berth.service").unlink()
    now = at_login.look()
    assert now.found
    assert (now.is_on, now.is_switched_off) == (False, True)


def test_a_file_that_was_removed_by_hand_is_not_called_on(account: Path) -> None:
    at_login.turn_on()
    at_login.look().path.unlink()
    assert not at_login.look().is_on
    at_login.turn_off()  # nothing to remove is no error


def test_one_of_a_folder_that_was_moved_is_found_and_mended() -> None:
    at_login.turn_on()
    path = at_login.look().path
    path.write_text(path.read_text().replace(str(ROOT), "/elsewhere/berth"))
    assert at_login.look().is_stale
    [finding] = check.CHECK.run()
    assert finding.fix.action == "write_autostart"
    at_login.turn_on()
    assert not at_login.look().is_stale
    assert check.CHECK.run() == []


def test_one_that_an_older_berth_wrote_is_found(account: Path) -> None:
    at_login.turn_on()
    path = at_login.look().path
    path.write_text(path.read_text().replace(f"{BASH} {SETUP} serve", "python -m lib.server"))
    assert at_login.look().is_stale


@pytest.mark.parametrize("has_systemd", [True, False])
def test_another_port_or_path_of_programs_makes_it_no_other(
    monkeypatch: pytest.MonkeyPatch, account: Path, has_systemd: bool
) -> None:
    if not has_systemd:
        (account / "run/systemd/system").rmdir()
    at_login.turn_on()
    path = at_login.look().path
    path.write_text(path.read_text().replace("8501", "9000"))
    monkeypatch.setenv("PATH", f"/opt/bin:{os.environ['PATH']}")
    assert at_login.look().is_on
    assert not at_login.look().is_stale


def test_on_macos_it_is_an_agent(monkeypatch: pytest.MonkeyPatch, account: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    at_login.turn_on()
    now = at_login.look()
    assert now.path == account / "user/Library/LaunchAgents/berth.dashboard.plist"
    agent = plistlib.loads(now.found.encode())
    assert agent["ProgramArguments"] == ["/bin/bash", SETUP, "serve", "--port", "8501"]
    assert all(Path(one).exists() for one in agent["ProgramArguments"][:2])
    assert agent["WorkingDirectory"] == str(ROOT)
    assert agent["EnvironmentVariables"]["BERTH_HOME"] == str(settings().home)
    assert (agent["RunAtLoad"], agent["AbandonProcessGroup"]) == (True, True)
    assert "KeepAlive" not in agent  # or it would come back after it was quit
    assert "HF_TOKEN" not in agent["EnvironmentVariables"]
    assert told(account) == []
    now.path.write_text(now.found.replace(SETUP, "/elsewhere/setup.sh"))
    assert at_login.look().is_stale
    now.path.write_text("no agent at all")
    assert at_login.look().is_stale
    at_login.turn_off()
    assert not now.path.exists()


def test_a_home_that_cannot_be_written_is_told_in_words(account: Path) -> None:
    (account / "user").rmdir()
    (account / "user").write_text("a file in the place of the folder")
    with pytest.raises(Conflict, match="cannot be written"):
        at_login.turn_on()


def test_an_address_with_a_password_is_left_out_and_others_read_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:hunter2@hub.example")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:11434")
    monkeypatch.setenv("HF_HOME", "me:hunter2@nowhere")
    monkeypatch.setenv("HF_HUB_CACHE", "/opt/cache@2/hub")
    at_login.turn_on()
    now = at_login.look()
    assert "hunter2" not in now.found
    assert "OLLAMA_HOST=http://127.0.0.1:11434" in now.found
    assert "HF_HUB_CACHE=/opt/cache@2/hub" in now.found
    assert now.path.stat().st_mode & 0o077 == 0


def test_only_the_owner_does_that() -> None:
    with acting(Role.GUEST):
        for act in (at_login.turn_on, at_login.turn_off):
            with pytest.raises(Forbidden):
                act()


def test_a_terminal_is_told_what_is_so_and_what_would_be_written(
    capsys: pytest.CaptureFixture[str], account: Path
) -> None:
    assert command.main(["start", "is"]) == 1
    assert "The systemd user unit is not there: " in capsys.readouterr().out
    assert command.main(["start", "on", "--dry-run"]) == 0
    assert "[Service]" in capsys.readouterr().out
    assert not at_login.look().found
    assert command.main(["start", "on", "--port", "8600"]) == 0
    assert "--port 8600" in at_login.look().found
    assert command.main(["start", "is"]) == 0
    assert command.main(["start", "off"]) == 0
    assert command.main(["start", "is"]) == 1
