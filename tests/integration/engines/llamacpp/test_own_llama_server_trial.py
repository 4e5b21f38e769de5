"""The trial of a `llama-server`: what it finds out, which paths it refuses, how long it counts."""

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp import program as llamacpp_program
from lib.engines.llamacpp import trial as llamacpp_trial
from lib.engines.llamacpp.trial import tried
from lib.processes import keeper
from tests.support.own_llama_server import write_program


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH, with no program yet; nothing but PATH and settings name one."""
    monkeypatch.delenv("BERTH_LLAMA_SERVER")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path / "bin"


def test_a_program_that_hangs_is_ended_and_told(bin_folder: Path) -> None:
    path = write_program(bin_folder / "llama-server", hangs=True)
    found = tried(str(path), trial_seconds=1)
    assert found.problem == "It did not load a tiny model in time."
    assert found.version == "b10488"
    assert running(path) == []


def test_a_program_that_tells_no_version_is_not_waited_for_for_ever(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llamacpp_trial, "VERSION_SECONDS", 0.5)
    path = write_program(bin_folder / "llama-server", version_seconds=600)
    assert "told no version" in tried(str(path)).problem
    assert running(path) == []


def running(path: Path) -> list[int]:
    """What runs of this program, by the behaviours in its command line."""
    command = shlex.split(path.read_text().splitlines()[1])[1:-1]
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    return [len(line) for line in lines if line[: len(command)] == command]


def test_a_server_that_does_not_tell_what_it_serves_is_too_old(bin_folder: Path) -> None:
    code = (
        "import http.server, sys\n"
        "class Old(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "        self.wfile.write(b'{\"total_slots\": 1}')\n"
        "if '--version' in sys.argv: sys.exit('version: 4000 (abc)')\n"
        "port = int(sys.argv[sys.argv.index('--port') + 1])\n"
        "http.server.HTTPServer(('127.0.0.1', port), Old).serve_forever()\n"
    )
    found = tried(str(script(bin_folder, code)))
    assert found.problem == "It is too old: it does not tell which model it serves."


def test_a_program_that_dies_of_the_first_text_is_told(bin_folder: Path) -> None:
    code = (
        "import http.server, json, os, sys\n"
        "class Dies(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        "        props = {'model_alias': 'trial', 'default_generation_settings': {'n_ctx': 256}}\n"
        "        self.wfile.write(json.dumps(props).encode())\n"
        "    def do_POST(self):\n"
        "        os.kill(os.getpid(), 4)\n"
        "if '--version' in sys.argv: sys.exit('version: 9000 (abc)')\n"
        "port = int(sys.argv[sys.argv.index('--port') + 1])\n"
        "http.server.HTTPServer(('127.0.0.1', port), Dies).serve_forever()\n"
    )
    assert "instructions that the processor" in tried(str(script(bin_folder, code))).problem


def script(folder: Path, code: str) -> Path:
    """A Python script as an executable file."""
    folder.mkdir(exist_ok=True)
    (folder / "code.py").write_text(code)
    path = folder / "llama-server"
    python = shlex.join([sys.executable, "-I", str(folder / "code.py")])
    path.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    path.chmod(0o755)
    return path


def starts_of(counter: Path) -> int:
    return counter.stat().st_size if counter.exists() else 0


# Paths that rule themselves out


def problem_of(path: str) -> str:
    change(llama_server=path)
    found = llamacpp_program.checked()
    assert found is not None
    assert found.path == path
    return found.problem


@pytest.mark.parametrize(
    "path", ["llama-server", "./llama-server", "bin/x", "-rf", "$(id)", "\u202e"]
)
def test_a_relative_path_is_refused(bin_folder: Path, path: str) -> None:
    change(llama_server=path)
    found = llamacpp_program.checked()
    assert found is not None
    assert found.problem == "Its path is relative."


def test_a_relative_folder_on_the_path_is_refused(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(bin_folder / "llama-server")
    monkeypatch.chdir(bin_folder.parent)
    monkeypatch.setenv("PATH", "bin")
    found = llamacpp_program.checked()
    assert found is not None
    assert found.problem == "Its path is relative."


def test_what_is_not_there_or_no_program_is_refused(bin_folder: Path) -> None:
    bin_folder.mkdir()
    (bin_folder / "text").write_text("no program")
    (bin_folder / "circle").symlink_to(bin_folder / "circle")
    assert problem_of(str(bin_folder / "nothing")) == "No such file or directory."
    assert problem_of(str(bin_folder / "text")) == "It is no file that can be run."
    assert problem_of(str(bin_folder)) == "It is no file that can be run."
    assert problem_of(str(bin_folder / "circle")) == "Too many levels of symbolic links."
    assert problem_of("/" + "x" * 4000) == "File name too long."
    assert "null" in problem_of("/bin/\0sh")


def test_a_file_that_is_no_program_after_all_is_told(bin_folder: Path) -> None:
    path = bin_folder / "llama-server"
    bin_folder.mkdir()
    path.write_bytes(b"\x7fELF and then nothing")
    path.chmod(0o755)
    assert "cannot be run" in problem_of(str(path))


@pytest.mark.parametrize("open_to_all", ["file", "folder", "target"])
def test_what_anybody_can_change_is_refused(bin_folder: Path, open_to_all: str) -> None:
    target = write_program(bin_folder / "real" / "llama-server")
    path = bin_folder / "llama-server"
    path.symlink_to(target)
    changed = {"file": target, "folder": bin_folder, "target": target.parent}[open_to_all]
    changed.chmod(changed.stat().st_mode | stat.S_IWOTH)
    assert problem_of(str(path)) == f"Anybody on this machine can change {changed}."


def test_a_folder_like_tmp_is_no_objection(bin_folder: Path) -> None:
    write_program(bin_folder / "llama-server")
    bin_folder.chmod(0o1777)
    found = llamacpp_program.found()
    assert found is not None
    assert found.problem == ""


def test_a_path_in_the_home_folder_may_be_written_short(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(bin_folder.parent))
    change(llama_server="~/bin/llama-server")
    found = llamacpp_program.found()
    assert found is not None
    assert found.path == str(bin_folder / "llama-server")


# Remembered


def test_a_program_is_tried_once_for_all_processes(bin_folder: Path) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", counter=str(counter))
    code = "from lib.engines.llamacpp.program import checked; print(checked().version)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() == b"b10488"
    assert starts_of(counter) == 2  # its version, the tiny model
    found = llamacpp_program.checked()
    assert found is not None
    assert found.is_usable
    assert starts_of(counter) == 2


def test_a_look_at_the_health_runs_nothing(bin_folder: Path) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", counter=str(counter))
    ENGINE.health()
    ENGINE.models()
    assert starts_of(counter) == 0


def test_a_changed_program_is_tried_again(bin_folder: Path) -> None:
    write_program(bin_folder / "llama-server", version="version: 7000 (abc)", lacks=["--props"])
    first = llamacpp_program.checked()
    write_program(bin_folder / "llama-server", version="version: 8000 (abc)")
    assert llamacpp_program.known() != first
    second = llamacpp_program.checked()
    assert first is not None
    assert second is not None
    assert (first.version, first.without) == ("b7000", ("--props",))
    assert (second.version, second.without) == ("b8000", ())


def test_a_program_that_failed_is_tried_again_after_a_while_and_on_demand(bin_folder: Path) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", version="", counter=str(counter))
    llamacpp_program.checked()
    llamacpp_program.checked()
    assert starts_of(counter) == 1
    llamacpp_program.checked(again=True)
    assert starts_of(counter) == 2
    kept = settings().engines / "program.cache"
    outcome = json.loads(kept.read_text())
    kept.write_text(json.dumps({**outcome, "at": outcome["at"] - 4_000}))
    llamacpp_program.checked()
    assert starts_of(counter) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"program": 1}', "\0"])
def test_a_damaged_memory_is_made_anew(bin_folder: Path, damage: str) -> None:
    write_program(bin_folder / "llama-server")
    first = llamacpp_program.checked()
    (settings().engines / "program.cache").write_text(damage)
    assert llamacpp_program.checked() == first


def test_a_trial_leaves_nothing_behind(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = settings().home / "tmp"
    folder.mkdir(parents=True)
    given = os.environ.get("BERTH_TEST_LLAMA_SERVER")
    change(llama_server=given or str(write_program(bin_folder / "llama-server")))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found = llamacpp_program.checked()
    assert found is not None
    assert found.is_usable
    assert list(folder.iterdir()) == []
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    left = [line for line in lines if any(str(folder) in part for part in line)]
    assert [line for line in left if keeper.__file__ not in line] == []
