"""Berth is started by a click or at login, and stopped again, with no terminal in sight."""

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.clone import NOWHERE, SECONDS, Clone
from tests.support.desktop import executed, parsed
from tests.support.fake_engine import running_fake
from tests.support.waiting import until


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Installed, with a desktop whose browser writes down what it opens, and a user of its own."""
    made = Clone(tmp_path)
    for name in ("lib", "pages", ".streamlit"):  # a folder of its own, that knows where it lies
        (made.root / name).unlink()
        shutil.copytree(ROOT / name, made.root / name)
    (made.root / "Home.py").unlink()
    shutil.copy(ROOT / "Home.py", made.root)
    (made.root / "docs").symlink_to(ROOT / "docs")
    made.install()
    made.command("xdg-open", f'echo "$*" >> "{tmp_path}/opened"')
    made.command("notify-send", f'echo "$*" >> "{tmp_path}/notified"')
    made.command("systemctl", "exit 1")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def ended(clone: Clone, home: Path) -> Iterator[None]:
    """No Berth is left behind."""
    yield
    for path in (home / "dashboards").glob("*.json"):
        pid = json.loads(path.read_text())["pid"]
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def record(home: Path) -> Any:
    return json.loads((home / "dashboard.json").read_text(encoding="utf-8"))


def opened(clone: Clone) -> list[str]:
    told = clone.bin.parent / "opened"
    return told.read_text().splitlines() if told.exists() else []


def click(clone: Clone, **world: str) -> subprocess.Popen[bytes]:
    """What a desktop does with the entry: its command, and no terminal."""
    entry = parsed(
        (Path(os.environ["HOME"]) / ".local/share/applications/berth.desktop").read_text()
    )
    assert os.access(entry["TryExec"], os.X_OK)
    return subprocess.Popen(
        executed(entry),
        cwd=entry["Path"],
        env=clone.world(DISPLAY=":0", **world),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def put_icon(clone: Clone, port: int) -> None:
    """As `--icon` does; the tests' own python stands in the clone's .venv."""
    done = clone.run("--install-only", "--icon", f"--port={port}")
    assert done.returncode == 0
    assert "There is an icon to click" in done.stdout


@pytest.mark.usefixtures("ended")
def test_two_clicks_start_one_berth_and_a_third_opens_it_alone(clone: Clone, home: Path) -> None:
    port = free_port()
    put_icon(clone, port)
    both = [click(clone), click(clone)]
    assert [one.wait(SECONDS) for one in both] == [0, 0]
    assert len(list((home / "dashboards").glob("*.json"))) == 1
    assert opened(clone) == [f"http://localhost:{port}"] * 2
    first = record(home)["pid"]
    third = click(clone)
    assert third.wait(SECONDS) == 0
    assert record(home)["pid"] == first
    assert opened(clone) == [f"http://localhost:{port}"] * 3
    with urllib.request.urlopen(f"http://localhost:{port}/api/health", timeout=10) as answer:
        assert json.load(answer)["ok"] is True
    done = clone.run("stop")
    assert (done.returncode, done.stdout) == (0, "Berth has been stopped.\nNo model is running.\n")
    assert not psutil.pid_exists(first)


@pytest.mark.usefixtures("ended")
def test_after_an_update_a_click_installs_what_changed_and_models_go_on(
    clone: Clone, home: Path
) -> None:
    put_icon(clone, free_port())
    with running_fake() as fake:
        lay_fake(home, fake)
        assert click(clone).wait(SECONDS) == 0
        assert "fake" in clone.run("stop").stdout
        assert fake.process.poll() is None
        text = (clone.root / "requirements.txt").read_text()
        clone.requires(f"{text}# of a newer release\n")
        assert clone.has_called_pip  # when it was installed first
        assert click(clone).wait(SECONDS) == 0
        assert clone.has_called_pip
        assert "Berth installs what is new." in (clone.bin.parent / "notified").read_text()
        assert fake.process.poll() is None
        done = clone.run("stop", "--models")
        assert "fake has stopped." in done.stdout
        until(lambda: fake.process.poll() is not None)


def test_a_click_that_fails_says_why_in_the_browser(clone: Clone, home: Path) -> None:
    put_icon(clone, free_port())
    clone.requires("nothing-of-this-name==1.0 # <b>\n")
    clone.make_venv(pip="echo 'No matching distribution found for <b>'; exit 1")
    failed = click(clone, PIP_INDEX_URL=NOWHERE)
    assert failed.wait(SECONDS) == 1
    [page] = opened(clone)
    shown = Path(page).read_text()
    assert "Berth could not be started" in shown
    assert "A package is not made for this machine" in shown
    assert "&lt;b>" in shown and "<b>" not in shown


def test_a_berth_that_does_not_come_up_is_told_with_its_last_words(
    clone: Clone, home: Path
) -> None:
    put_icon(clone, free_port())
    clone.make_venv(before='case "$*" in *lib.server*) echo broken >&2; exit 3 ;; esac')
    assert click(clone).wait(SECONDS) == 1
    [page] = opened(clone)
    assert "Berth did not start.\nbroken" in Path(page).read_text()


@pytest.mark.usefixtures("ended")
def test_what_starts_it_at_login_starts_it_once(clone: Clone, home: Path) -> None:
    port = free_port()
    login = clone.start("serve", f"--port={port}")
    login.until("Berth is ready")
    again = clone.run("serve", f"--port={port}")
    assert (again.returncode, again.stdout) == (0, f"Berth already runs: {record(home)['url']}\n")
    assert clone.run("stop").returncode == 0
    assert login.ended() == 0
    login.close()


@pytest.mark.usefixtures("ended")
def test_a_start_in_a_terminal_says_that_it_was_quit(clone: Clone, home: Path) -> None:
    run = clone.start("--no-browser", f"--port={free_port()}")
    run.until("Ctrl-C stops the dashboard")
    assert clone.run("stop").returncode == 0
    assert run.ended() == 0
    assert "Berth has been quit. Start it again: ./setup.sh" in run.output
    run.close()


def test_what_does_not_run_is_not_stopped_and_that_is_no_error(clone: Clone) -> None:
    done = clone.run("stop")
    assert (done.returncode, done.stdout) == (0, "Berth does not run.\nNo model is running.\n")


def test_what_was_put_there_is_taken_away(clone: Clone) -> None:
    put_icon(clone, 8_600)
    assert clone.run("--install-only", "--login").returncode == 0
    user = Path(os.environ["HOME"])
    entry = user / ".local/share/applications/berth.desktop"
    assert entry.exists() and (user / ".config/autostart/berth.desktop").exists()
    done = clone.run("--no-icon", "--no-login")
    assert done.returncode == 0
    assert "The icon is gone; what runs goes on." in done.stdout
    assert [path for path in user.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("typed", "has_icon", "has_login"),
    [("\n\n", True, False), ("y\ny\n", True, True), ("n\nn\n", False, False)],
    ids=ascii,
)
def test_a_terminal_is_asked_once(
    clone: Clone, home: Path, typed: str, has_icon: bool, has_login: bool
) -> None:
    lines = 'DISPLAY=:0; parse; BERTH_FOLDER=$BERTH_HOME; cd "$ROOT"; offer_icon; put_in_place'
    code, shown = clone.on_terminal(clone.sourced(lines), typed)
    assert code == 0
    assert "Put an icon there, so that no terminal is needed to start Berth? [Y/n]" in shown
    assert "Start Berth whenever you log in? [y/N]" in shown
    user = Path(os.environ["HOME"])
    assert (user / ".local/share/applications/berth.desktop").exists() is has_icon
    assert (user / ".config/autostart/berth.desktop").exists() is has_login
    code, shown = clone.on_terminal(clone.sourced(f"{lines}; echo said nothing"))
    assert (code, shown.strip()) == (0, "said nothing")


def test_nobody_is_asked_without_a_desktop_or_without_a_terminal(clone: Clone) -> None:
    lines = 'parse; BERTH_FOLDER=$BERTH_HOME; cd "$ROOT"; offer_icon; echo "icon: $ICON"'
    code, shown = clone.on_terminal(clone.sourced(lines))
    assert (code, shown.strip()) == (0, "icon:")
    assert clone.call(f"DISPLAY=:0; {lines}").stdout == "icon: \n"


def test_an_install_that_somebody_else_makes_is_waited_for(clone: Clone, tmp_path: Path) -> None:
    (clone.root / ".venv.turn").symlink_to("999999999")  # of a process that has ended
    clone.requires((clone.root / "requirements.txt").read_text() + "# newer\n")
    assert clone.run("--install-only").returncode == 0
    assert not (clone.root / ".venv.turn").is_symlink()
