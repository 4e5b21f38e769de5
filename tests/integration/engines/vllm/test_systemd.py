"""Services through programs that behave as systemctl, journalctl and sudo do."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.errors import BadInput, EngineError
from lib.engines.vllm import systemd
from tests.support.fake_systemd import FakeSystemd
from tests.support.waiting import eventually, until

UNIT = "berth-slot-0.service"
SLEEPER = [sys.executable, "-u", "-c", "import time; print('up'); time.sleep(600)"]
ENDING = [sys.executable, "-c", "raise SystemExit('broken')"]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    """A systemd with one unit that runs until it is stopped."""
    box = FakeSystemd(tmp_path).use(monkeypatch)
    box.write(UNIT, SLEEPER, {"Slot": "0"})
    monkeypatch.setattr(systemd, "_journal_refused", [])
    yield box
    box.refuse(is_refusing=False)
    box.end()


def test_a_service_is_started_told_of_and_stopped(box: FakeSystemd) -> None:
    assert systemd.state(UNIT).active == "inactive"
    assert systemd.state(UNIT).since is None
    assert systemd.state(UNIT).exit_code is None
    systemd.start(UNIT)
    now = systemd.state(UNIT)
    assert (now.active, now.sub, now.is_running, now.restarts) == ("active", "running", True, 0)
    assert now.since is not None and abs(time.time() - now.since) < 60
    assert now.run.isalnum()
    systemd.stop(UNIT)
    assert systemd.state(UNIT).active == "inactive"
    assert systemd.state(UNIT).exit_code == -signal.SIGTERM


def test_a_killed_service_comes_back_and_tells_how_often(box: FakeSystemd) -> None:
    systemd.start(UNIT)
    os.kill(int(box.state(UNIT)["MainPID"]), signal.SIGKILL)
    until(lambda: systemd.state(UNIT).restarts == 1, "a restart")
    assert eventually(lambda: systemd.state(UNIT).is_running)
    systemd.restart(UNIT)
    assert systemd.state(UNIT).restarts == 0


def test_one_that_ended_too_often_starts_again_only_after_a_reset(box: FakeSystemd) -> None:
    box.write(UNIT, ENDING, {"Slot": "0"})
    systemd.start(UNIT)
    until(lambda: systemd.state(UNIT).gave_up, "the last try")
    now = systemd.state(UNIT)
    assert (now.result, now.exit_code) == ("start-limit-hit", 1)
    with pytest.raises(EngineError, match="repeated too quickly"):
        systemd.start(UNIT)
    box.write(UNIT, SLEEPER, {"Slot": "0"})
    systemd.reset_failed(UNIT)
    systemd.start(UNIT)
    assert systemd.state(UNIT).is_running


def test_the_journal_has_the_last_lines_of_all_runs_or_of_one(box: FakeSystemd) -> None:
    box.say(UNIT, "first\nof the first run\n")
    systemd.start(UNIT)
    until(lambda: "up" in box.log(UNIT), "its first line")
    assert systemd.journal(UNIT) == "first\nof the first run\nup\n"
    assert systemd.journal(UNIT, lines=2) == "of the first run\nup\n"
    assert systemd.journal(UNIT, run_id=systemd.state(UNIT).run) == "up\n"


def test_a_unit_that_systemd_does_not_know_is_told_as_such(box: FakeSystemd) -> None:
    assert systemd.state("berth-slot-5.service").load == "not-found"
    with pytest.raises(EngineError, match="not found") as refused:
        systemd.start("berth-slot-5.service")
    assert "berth-slot-5.service" in refused.value.message


@pytest.mark.parametrize("unit", ["nginx.service", "berth-slot-0", "--all", "berth-../x.service"])
def test_no_service_of_others_can_be_named(box: FakeSystemd, unit: str) -> None:
    for act in (systemd.state, systemd.stop, systemd.disable, systemd.journal):
        with pytest.raises(BadInput, match="no service of Berth's"):
            act(unit)
    assert box.asked() == []


def test_enabling_and_reloading_reach_systemd(box: FakeSystemd) -> None:
    systemd.daemon_reload()
    systemd.enable(UNIT)
    assert systemd.state(UNIT).enabled == "enabled"
    systemd.disable(UNIT)
    assert systemd.state(UNIT).enabled == "disabled"


def test_without_root_it_goes_through_sudo_and_never_asks_for_a_password(
    box: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    systemd.start(UNIT)
    assert ["sudo", "-n", "systemctl", "--no-ask-password", "start", UNIT] in box.asked()
    assert systemd.state(UNIT).is_running


def test_where_sudo_refuses_the_fix_is_the_command_to_paste(
    box: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    box.refuse()
    with pytest.raises(EngineError) as refused:
        systemd.stop(UNIT)
    assert refused.value.message == f"This needs root's rights: systemctl stop {UNIT}."
    assert refused.value.fix == f"Run this in a terminal: sudo systemctl stop {UNIT}"


def test_a_log_that_sudo_refuses_is_not_asked_for_again_at_once(
    box: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    box.refuse()
    for _ in range(3):
        with pytest.raises(EngineError, match="may not be read") as refused:
            systemd.journal(UNIT)
    assert f"sudo journalctl --no-pager --quiet --all --output=cat --unit={UNIT}" in (
        refused.value.fix
    )
    assert sum(call[0] == "sudo" for call in box.asked()) == 1


def test_a_machine_without_systemd_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for act in (systemd.state, systemd.start, systemd.journal):
        with pytest.raises(EngineError, match="There is no systemd on this machine"):
            act(UNIT)
