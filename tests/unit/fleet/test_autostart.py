"""What is written so that Berth starts at login."""

import os
import plistlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Conflict, EngineError, Forbidden
from lib.core.settings import ROOT, settings
from lib.doctor.checks import autostart as check
from lib.fleet import autostart
from tests.support.unit_files import parsed

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
[ -z "$REFUSES" ] || {{ echo "Failed to connect to bus." >&2; exit 1; }}
"""


@pytest.fixture(autouse=True)
def account(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of a user, and a systemctl that writes down what it is told."""
    programs, log = tmp_path / "bin", tmp_path / "systemctl.log"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL.format(log=log))
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(tmp_path))  # where nobody lingers
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with acting(Role.OWNER):
        yield tmp_path


def told(account: Path) -> list[str]:
    log = account / "systemctl.log"
    return log.read_text().splitlines() if log.exists() else []


def test_it_is_written_for_this_folder_and_this_home_and_taken_away_again(account: Path) -> None:
    assert not autostart.look().is_on
    said = autostart.turn_on()
    assert "starts when you log in" in said
    assert "loginctl enable-linger" in said
    now = autostart.look()
    assert now.path == account / "user/.config/systemd/user/berth.service"
    assert (now.is_on, now.is_stale) == (True, False)
    service = parsed(now.found)["Service"]
    assert ("WorkingDirectory", str(ROOT)) in service
    assert ("KillMode", "process") in service  # or the models would end with it
    assert ("Environment", f'"BERTH_HOME={settings().home}"') in service
    assert ("ExecStart", f"{sys.executable} -m lib.server --port 8501") in service
    assert "hf_secret" not in now.found
    autostart.turn_off()
    assert not autostart.look().is_on
    assert told(account) == [
        *("--user daemon-reload", "--user enable berth.service"),
        *("--user disable berth.service", "--user daemon-reload"),
    ]


def test_where_systemd_refuses_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSES", "yes")
    with pytest.raises(EngineError, match=r"starts nothing for its users: Failed to connect"):
        autostart.turn_on()
    assert not autostart.look().is_on


def test_one_of_a_folder_that_was_moved_is_found_and_mended() -> None:
    autostart.turn_on()
    path = autostart.look().path
    path.write_text(path.read_text().replace(str(ROOT), "/elsewhere/berth"))
    assert autostart.look().is_stale
    [finding] = check.CHECK.run()
    assert finding.fix.action == "write_autostart"
    autostart.turn_on()
    assert not autostart.look().is_stale
    assert check.CHECK.run() == []


def test_another_port_or_path_of_programs_makes_it_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    autostart.turn_on()
    path = autostart.look().path
    path.write_text(path.read_text().replace("8501", "9000"))
    monkeypatch.setenv("PATH", f"/opt/bin:{os.environ['PATH']}")
    assert not autostart.look().is_stale


def test_on_macos_it_is_an_agent(monkeypatch: pytest.MonkeyPatch, account: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    autostart.turn_on()
    now = autostart.look()
    assert now.path == account / "user/Library/LaunchAgents/berth.dashboard.plist"
    agent = plistlib.loads(now.found.encode())
    assert agent["ProgramArguments"][1:] == ["-m", "lib.server", "--port", "8501"]
    assert agent["EnvironmentVariables"]["BERTH_HOME"] == str(settings().home)
    assert (agent["RunAtLoad"], agent["AbandonProcessGroup"]) == (True, True)
    assert "HF_TOKEN" not in agent["EnvironmentVariables"]
    assert told(account) == []
    now.path.write_text("no agent at all")
    assert autostart.look().is_stale
    autostart.turn_off()
    assert not now.path.exists()


def test_a_home_that_cannot_be_written_is_told_in_words(account: Path) -> None:
    (account / "user").write_text("a file in the place of the folder")
    with pytest.raises(Conflict, match="cannot be written"):
        autostart.turn_on()


def test_an_address_with_a_password_is_left_out_and_others_read_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:hunter2@hub.example")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:11434")
    monkeypatch.setenv("HF_HOME", "me:hunter2@nowhere")
    monkeypatch.setenv("HF_HUB_CACHE", "/opt/cache@2/hub")
    autostart.turn_on()
    now = autostart.look()
    assert "hunter2" not in now.found
    assert "OLLAMA_HOST=http://127.0.0.1:11434" in now.found
    assert "HF_HUB_CACHE=/opt/cache@2/hub" in now.found
    assert now.path.stat().st_mode & 0o077 == 0


def test_only_the_owner_does_that() -> None:
    with acting(Role.GUEST):
        for act in (autostart.turn_on, autostart.turn_off):
            with pytest.raises(Forbidden):
                act()
