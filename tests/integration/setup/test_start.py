"""setup.sh starts the dashboard: ports, browser, starter model, and how it all ends."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit

from lib.core import owner_key
from lib.deploy.starter import STARTER
from lib.engines import __main__ as engines
from tests.support.clone import NOWHERE, SECONDS, Clone, Run
from tests.support.guests import lan_address

RUNS = "Ctrl-C stops the dashboard"
Start = Callable[..., Run]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def start(clone: Clone) -> Iterator[Start]:
    """Starts setup.sh on a free port; it is ended after the test, and its models with it."""
    runs: list[Run] = []

    def started(*arguments: str, **world: str) -> Run:
        runs.append(clone.start("--no-browser", f"--port={_free_port()}", *arguments, **world))
        return runs[-1]

    yield started
    for run in runs:
        run.close()
    engines.main(["stop", "--all"])


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_from_a_dead_venv_to_the_dashboard_and_back(clone: Clone, start: Start, home: Path) -> None:
    """venv and pip are real; pip finds every package on PYTHONPATH, so that none is fetched."""
    (clone.venv / "bin").mkdir(parents=True)
    (clone.venv / "bin" / "python").symlink_to("/gone/python3.11")
    world = {"PYTHONPATH": str(Path(streamlit.__file__).parent.parent)}
    run = start(**world)
    run.until(RUNS)
    url = _record(home)["url"]
    assert f"Berth is ready: {url}" in run.output
    with urllib.request.urlopen(f"{url}/api/health", timeout=10) as answer:
        assert json.load(answer)["ok"] is True

    again = clone.run("--no-browser", **world)
    assert (again.returncode, again.stdout) == (0, f"Berth already runs: {url}\n")

    assert run.interrupt() == 0
    assert run.output.endswith("The dashboard has stopped.\nNo model is running.\n")
    assert "Traceback" not in run.output and "Terminated" not in run.output
    assert not (home / "dashboard.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_stops_the_dashboard_as_ctrl_c_does(
    clone: Clone, start: Start, home: Path, number: signal.Signals
) -> None:
    clone.install()
    run = start()
    run.until(RUNS)
    run.process.send_signal(number)
    assert run.ended() == 0
    assert not (home / "dashboard.json").exists()


def test_it_has_stopped_only_when_the_dashboard_is_gone(clone: Clone, start: Start) -> None:
    clone.install()
    clone.make_venv(
        before="""case "$*" in
            *lib.launch\\ answers*) echo http://localhost:1; exit 0 ;;
            *lib.server*) trap 'sleep 1; echo gone; exit' TERM; while :; do sleep 0.1; done ;;
        esac"""
    )
    run = start()
    run.until(RUNS)
    assert run.interrupt() == 0
    assert "gone\n\nThe dashboard has stopped.\n" in run.output


def test_a_home_beside_the_caller_stays_there(clone: Clone, tmp_path: Path) -> None:
    clone.install()
    lines = f'cd "{tmp_path}"; BERTH_HOME=mine; main --install-only; echo "$BERTH_HOME"'
    assert clone.call(lines).stdout == f"{tmp_path}/mine\n"


def test_a_used_port_that_was_asked_for_is_an_error(clone: Clone, used_port: int) -> None:
    clone.install()
    done = clone.run("--no-browser", "--port", str(used_port))
    assert done.returncode == 7
    assert f"Port {used_port} is used by another program." in done.stderr
    assert "is free: ./setup.sh --port " in done.stderr


def test_a_terminal_alone_is_told_the_link_with_the_key(
    clone: Clone, start: Start, home: Path
) -> None:
    owner_key.choose(True)
    key = (home / "owner.key").read_text().strip()
    clone.install()
    run = start()
    run.until(RUNS)
    url = _record(home)["url"]
    assert f"Berth is ready: {url}" in run.output
    assert key not in run.output
    code, shown = clone.on_terminal(["setup.sh", "--no-browser"])
    assert code == 0
    assert f"Open it with its key: {url}/?key={key}" in shown
    assert key not in clone.run("--no-browser").stdout


def test_sharing_is_switched_on_and_a_terminal_alone_is_told_the_code(
    clone: Clone, start: Start, home: Path
) -> None:
    home.mkdir()
    chosen = (f'share_address = "{lan_address()}"', 'share_encryption = "berth"')
    (home / "settings.toml").write_text("\n".join(chosen))
    clone.install()
    run = start("--share=8h")
    run.until(RUNS)
    code = json.loads((home / "guests.json").read_text())["code"]
    shown_code, url = f"{code[:4]}-{code[4:]}", _record(home)["url"]
    with urllib.request.urlopen(f"{url}/api/sharing") as answer:
        told = json.load(answer)
    assert f"Shared with your network: {told['url']} (until " in run.output
    assert "The access code stands on the System page." in run.output
    assert code not in run.output and shown_code not in run.output
    ended, shown = clone.on_terminal(["setup.sh", "--no-browser", "--share"])
    assert ended == 0
    assert f"Access code: {shown_code}" in shown
    for half in (told["fingerprint"][:47], told["fingerprint"][48:]):
        assert half in shown
    assert shown.count("\u2588") > 100
    assert json.loads((home / "sharing.json").read_text())["until"]  # it ends as was said first


def test_sharing_that_fails_is_told_and_the_dashboard_runs(
    clone: Clone, start: Start, home: Path
) -> None:
    home.mkdir()
    (home / "settings.toml").write_text('share_address = "192.0.2.254"')
    clone.install()
    run = start("--share")
    run.until(RUNS)
    assert "Berth cannot listen on 192.0.2.254" in run.output
    assert "Berth is not shared." in run.output


def test_without_a_terminal_the_next_free_port_is_taken(clone: Clone, used_port: int) -> None:
    clone.install()
    done = clone.call(f'parse; PORT={used_port}; cd "$ROOT"; pick_port; echo "$PORT"')
    said, taken = done.stdout.splitlines()
    assert said == f"Port {used_port} is used by another program; Berth takes {taken}."
    assert int(taken) > used_port


@pytest.mark.parametrize(
    ("typed", "code"), [("\n", 0), ("y\n", 0), ("n\n", 7), ("No, thanks\n", 7)], ids=ascii
)
def test_on_a_terminal_the_next_free_port_is_offered(
    clone: Clone, used_port: int, typed: str, code: int
) -> None:
    clone.install()
    lines = f'parse; PORT={used_port}; cd "$ROOT"; pick_port; echo "takes $PORT"'
    ended, shown = clone.on_terminal(clone.sourced(lines), typed)
    assert ended == code
    assert f"Port {used_port} is used by another program. Use " in shown
    assert ("takes" in shown) == (code == 0)


def test_a_dashboard_that_does_not_start_is_told(clone: Clone) -> None:
    clone.install()
    clone.make_venv(before='case "$*" in *lib.server*) echo broken >&2; exit 3 ;; esac')
    done = clone.run("--no-browser", "--port", str(_free_port()))
    assert done.returncode == 7
    assert done.stderr == "broken\nThe dashboard did not start; its own words are above.\n"


def test_a_dashboard_that_ends_by_itself_is_told(clone: Clone, start: Start, home: Path) -> None:
    clone.install()
    run = start()
    run.until(RUNS)
    os.kill(_record(home)["pid"], signal.SIGKILL)
    assert run.ended() == 1
    assert "The dashboard has ended (exit code 137)." in run.output


def test_the_starter_answers_and_outlives_the_dashboard(
    clone: Clone, start: Start, starter_file: Path
) -> None:
    STARTER.path.parent.mkdir(parents=True)
    STARTER.path.symlink_to(starter_file)
    clone.install()
    run = start("--starter")
    run.until(RUNS)
    assert "Paris" in run.output and "Talk to it: http://localhost:" in run.output
    assert run.interrupt() == 0
    assert "1 model runs:" in run.output and STARTER.name in run.output
    command = run.output.split("To stop: ")[1].splitlines()[0]
    stopped = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=SECONDS)
    assert stopped.stdout == f"{STARTER.name} has stopped.\n"


def test_a_starter_that_cannot_be_fetched_leaves_the_dashboard(clone: Clone, start: Start) -> None:
    clone.install()
    run = start("--starter", HF_ENDPOINT=NOWHERE, PIP_INDEX_URL=NOWHERE)
    run.until(RUNS)
    assert "The dashboard runs without a model: http://localhost:" in run.output
    assert "Try again there, or with ./setup.sh --starter" in run.output
    assert run.interrupt() == 0


@pytest.mark.parametrize(
    ("system", "world", "opened"),
    [
        ("Darwin", {}, "open http://localhost:1"),
        ("Linux", {"DISPLAY": ":0"}, "xdg-open http://localhost:1"),
        ("Linux", {"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open http://localhost:1"),
        ("Linux", {}, ""),
        ("Linux", {"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, ""),
        ("Darwin", {"SSH_TTY": "/dev/ttys000"}, ""),
    ],
)
def test_the_browser_opens_where_there_is_one(
    clone: Clone, system: str, world: dict[str, str], opened: str
) -> None:
    assert _opened(clone, "", system, world) == opened


def test_no_browser_means_none(clone: Clone) -> None:
    assert _opened(clone, "--no-browser", "Darwin", {}) == ""


def test_over_ssh_the_way_to_the_page_is_told(clone: Clone) -> None:
    done = clone.call("parse --port 8600; open_browser http://localhost:8600", SSH_TTY="/dev/pts/1")
    assert re.search(r"ssh -L 8600:localhost:8600 \w[\w-]*@\S+, then open", done.stdout)


def _opened(clone: Clone, option: str, system: str, world: dict[str, str]) -> str:
    """The command that the script opened a browser with."""
    note = clone.bin / "note"
    note.touch()
    clone.command("uname", f"echo {system}")
    for name in ("open", "xdg-open"):
        clone.command(name, f'echo "{name} $*" > "{note}"')
    done = clone.call(f"parse {option}; open_browser http://localhost:1; wait", **world)
    assert done.returncode == 0
    return note.read_text(encoding="utf-8").strip()


def _record(home: Path) -> Any:
    return json.loads((home / "dashboard.json").read_text(encoding="utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
