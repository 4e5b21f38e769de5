"""setup.sh installs: what it fetches, when it does not, and what it says when that fails."""

import contextlib
import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clone import NOWHERE, SECONDS, Clone

REAL_PIP = 'exec "$REAL_PYTHON" "$@" --ignore-installed --dry-run'


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_second_run_installs_nothing(clone: Clone) -> None:
    clone.make_venv()
    assert clone.run("--install-only").returncode == 0
    assert clone.has_called_pip
    done = clone.run("--install-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not clone.has_called_pip


def test_a_changed_list_is_installed(clone: Clone) -> None:
    clone.install()
    assert clone.has_called_pip
    clone.requires("one==1\n")
    assert clone.run("--install-only").returncode == 0
    assert clone.has_called_pip


def test_another_python_in_the_venv_is_installed_for(clone: Clone) -> None:
    clone.install()
    assert clone.has_called_pip
    clone.make_venv(before='[ "$1" != -V ] || { echo Python 3.99.0; exit 0; }')
    assert clone.run("--install-only").returncode == 0
    assert clone.has_called_pip


def test_an_install_that_broke_off_is_gone_on_with(clone: Clone) -> None:
    clone.make_venv("echo 'ERROR: Operation cancelled by user'; exit 1")
    assert clone.run("--install-only").returncode == 1
    assert clone.has_called_pip
    clone.make_venv()
    assert clone.run("--install-only").returncode == 0
    assert clone.has_called_pip


def test_a_venv_without_pip_is_made_again(clone: Clone) -> None:
    clone.make_venv(before='case "$*" in *"import pip"*) exit 1 ;; esac')
    clone.command("python3.13", '[ "$*" != "-m venv --clear .venv" ] || exit 9; echo 3.13.1')
    done = clone.run("--install-only")
    assert (done.returncode, done.stdout) == (1, "Making .venv with Python 3.13.1\n")
    assert done.stderr == f"Python could not make {clone.venv}.\n"


def test_ctrl_c_during_the_install_says_how_to_go_on(clone: Clone) -> None:
    clone.make_venv(f'touch "{clone.bin}/pip-runs"; exec sleep 60')
    run = clone.start("--install-only")
    with contextlib.closing(run):
        started = clone.bin / "pip-runs"
        _wait_for(started)
        assert run.interrupt() == 130
    assert "Interrupted. Run ./setup.sh again to go on." in run.output
    assert not list(clone.venv.glob("installed-*"))


def test_a_full_disk_is_seen_before_anything_is_fetched(clone: Clone) -> None:
    clone.make_venv()
    head = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    line = "/dev/disk1s1 488245288 487997000 248288 100% /My Disk 5% full"
    clone.command("df", f"echo '{head}'; echo '{line}'")
    done = clone.run("--install-only")
    assert done.returncode == 5
    assert "The disk is full: 248 MB free, 1000 MB needed" in done.stderr
    assert not clone.has_called_pip


def test_a_disk_that_tells_nothing_is_no_obstacle(clone: Clone) -> None:
    clone.make_venv()
    clone.command("df", "exit 0")
    assert clone.run("--install-only").returncode == 0


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        ("OSError: [Errno 28] No space left on device", 5, "The disk is full"),
        ("ERROR: [Errno 122] Disk quota exceeded", 5, "The disk is full"),
        ("NewConnectionError: Temporary failure in name resolution", 6, "cannot be reached"),
        ("ReadTimeoutError: Read timed out.", 6, "cannot be reached"),
        ("WARNING: ProxyError('Cannot connect to proxy.')", 6, "cannot be reached"),
        ("ERROR: No matching distribution found for xllamacpp==1", 4, "not made for this machine"),
        ("ERROR: Something else", 1, "ERROR: Something else"),
        ("", 1, "pip could not install"),
    ],
)
def test_what_pip_says_is_put_into_words(clone: Clone, said: str, code: int, told: str) -> None:
    clone.make_venv(f'echo "{said}"; exit 1')
    done = clone.run("--install-only")
    assert done.returncode == code
    assert told in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_the_real_pip_without_a_network(clone: Clone) -> None:
    clone.make_venv(REAL_PIP)
    done = clone.run("--install-only", PIP_INDEX_URL=NOWHERE, PIP_RETRIES="1")
    assert done.returncode == 6
    assert "The package index cannot be reached." in done.stderr


def test_the_real_pip_where_no_wheel_is_made_for_the_machine(clone: Clone, tmp_path: Path) -> None:
    clone.make_venv(REAL_PIP)
    clone.requires("one==1.0\n")
    wheel = "one-1.0-cp311-cp311-win_arm64.whl"
    page = tmp_path / "index" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel}">{wheel}</a>', encoding="utf-8")
    with _served(tmp_path / "index") as url:
        done = clone.run("--install-only", PIP_INDEX_URL=url)
    assert done.returncode == 4
    assert "A package is not made for this machine" in done.stderr
    assert "No matching distribution found for one==1.0" in done.stderr


def test_on_a_terminal_one_changing_line_shows_how_far_it_is(clone: Clone) -> None:
    clone.make_venv()
    clone.requires("one==1\ntwo==2\n")
    code, shown = clone.on_terminal(["setup.sh", "--install-only"])
    assert code == 0
    assert "\r\x1b[K  1 of 2 packages: pyarrow (55.0 MB)\r\x1b[K  unpacking\r\x1b[K" in shown


def test_without_a_terminal_there_are_two_plain_lines(clone: Clone) -> None:
    clone.make_venv()
    done = clone.run("--install-only")
    assert "\x1b" not in done.stdout and "\r" not in done.stdout
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == ["Installing", "Installed"]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """A folder as a web site."""
    pages = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
