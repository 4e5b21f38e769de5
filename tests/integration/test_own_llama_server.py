"""A `llama-server` of the user's own: found, tried, used, remembered, and replaced where it fails.

BERTH_TEST_LLAMA_SERVER names a real one for the tests that need nothing but one that works; else
a program with the same flags serves through the engine of the wheel.
"""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lib.engines import keeper, llamacpp_program, llamacpp_trial
from lib.engines import llamacpp_records as records
from lib.engines.base import ChatOptions, Model, StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp_records import Record, file_of
from lib.engines.llamacpp_trial import tried
from lib.errors import BrokenFile, EngineError
from lib.preferences import change
from lib.settings import settings
from tests.support.own_llama_server import write_program
from tests.support.tiny_gguf import write_tiny, write_truncated

SMALL = StartOptions(context=512, threads=1)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH, with no program yet; nothing but PATH and settings name one."""
    monkeypatch.delenv("BERTH_LLAMA_SERVER")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path / "bin"


@pytest.fixture
def own(bin_folder: Path) -> str:
    """One that works: the real one where the tests are given one."""
    given = os.environ.get("BERTH_TEST_LLAMA_SERVER")
    path = given or str(write_program(bin_folder / "my llama-server"))
    change(llama_server=path)
    return path


@pytest.fixture
def model(home: Path) -> Iterator[str]:
    write_tiny(home / "models" / "model.gguf")
    yield "model"
    for record in records.read_all():
        ENGINE.stop(record.model)


def child() -> Record:
    record = records.read("model")
    assert record is not None
    return record


def shown() -> Model:
    [found] = ENGINE.models()
    return found


def starts_of(counter: Path) -> int:
    return counter.stat().st_size if counter.exists() else 0


# Used


def test_a_program_named_in_the_settings_runs_the_models(own: str, model: str) -> None:
    ENGINE.start(model, SMALL)
    assert shown().state == State.READY
    assert (shown().context, shown().note) == (512, "")
    assert child().program == own
    assert child().version in ENGINE.health().version
    assert "--api-key-file" in psutil.Process(child().pid).cmdline()
    options = ChatOptions(max_tokens=4, temperature=0)
    assert "".join(delta.text for delta in ENGINE.complete(model, "abc", options))
    ENGINE.stop(model)
    assert shown().state == State.STOPPED


def test_the_health_tells_whose_program_runs_and_which(own: str, model: str) -> None:
    before = ENGINE.health()
    assert before.version.startswith("xllamacpp ")
    assert before.note == f"Own llama-server at {own} is tried when the next model starts."
    ENGINE.start(model, SMALL)
    health = ENGINE.health()
    version = child().version
    assert health.version == f"llama.cpp {version} of your own, {own}"
    assert (health.up, health.problem, health.note) == (True, "", "")


def test_a_program_on_the_path_is_found(bin_folder: Path, model: str) -> None:
    path = write_program(bin_folder / "llama-server")
    ENGINE.start(model, SMALL)
    assert (child().program, child().version) == (str(path), "b10488")


def test_the_settings_go_before_the_path_and_the_environment_before_both(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(bin_folder / "llama-server")
    change(llama_server="/named/in/settings")
    found = llamacpp_program.found()
    assert found is not None
    assert found.path == "/named/in/settings"
    monkeypatch.setenv("BERTH_LLAMA_SERVER", "/named/in/environment")
    found = llamacpp_program.found()
    assert found is not None
    assert found.path == "/named/in/environment"


@pytest.mark.parametrize("word", ["off", "OFF", "Off"])
def test_off_means_that_none_is_used(bin_folder: Path, model: str, word: str) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", counter=str(counter))
    change(llama_server=word)
    ENGINE.start(model, SMALL)
    assert child().program == ""
    assert ENGINE.health().note == ""
    assert starts_of(counter) == 0


def test_no_program_is_no_problem(bin_folder: Path, model: str) -> None:
    ENGINE.start(model, SMALL)
    health = ENGINE.health()
    assert (child().program, child().note, health.note) == ("", "", "")
    assert child().version in health.version


def test_a_running_child_keeps_the_program_it_was_started_with(own: str, model: str) -> None:
    ENGINE.start(model, SMALL)
    first = child()
    change(llama_server="off")
    ENGINE.start(model, SMALL)
    assert child() == first
    assert shown().state == State.READY
    ENGINE.stop(model)
    ENGINE.start(model, SMALL)
    assert child().program == ""


# Flags


def test_flags_that_a_build_lacks_are_left_out(bin_folder: Path, model: str) -> None:
    lacks = ["--no-webui", "--ctx-checkpoints", "--cache-ram"]
    write_program(bin_folder / "llama-server", lacks=lacks)
    ENGINE.start(model, SMALL)
    found = llamacpp_program.known()
    assert found is not None
    assert sorted(found.without) == sorted(lacks)
    assert child().program == found.path
    line = psutil.Process(child().pid).cmdline()
    assert not {*lacks} & {*line[line.index("-m") :]}
    assert "--metrics" in line


def test_a_build_that_lacks_what_is_needed_is_not_used(bin_folder: Path) -> None:
    path = write_program(bin_folder / "llama-server", lacks=["--metrics", "--api-key-file"])
    found = tried(str(path))
    assert found.problem == "It does not know the option --api-key-file."


# Not used, and why


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ({"version": "ollama version is 0.30.1"}, "It is no llama-server: it tells no version"),
        ({"version": "libfoo is missing", "version_code": 3}, "The engine ended (exit code 3)."),
        ({"version": ""}, "It is no llama-server"),
        ({"dies_of": {"tiny": signal.SIGILL}}, "instructions that the processor does not have"),
        ({"dies_of": {"tiny": signal.SIGSEGV}}, "The engine ended (signal 11)."),
        ({"says": {"tiny": "0.1 E srv: the moon is in the wrong house"}}, "the wrong house"),
        (
            {"says": {"tiny": "error while loading shared libraries: libx.so.1: cannot open"}},
            "needs the library libx.so.1",
        ),
    ],
)
def test_a_program_that_cannot_do_the_work_is_told_and_replaced(
    bin_folder: Path, model: str, behaviour: dict[str, object], problem: str
) -> None:
    path = write_program(bin_folder / "llama-server", **behaviour)
    ENGINE.start(model, SMALL)
    assert shown().state == State.READY
    assert child().program == ""
    health = ENGINE.health()
    assert health.up
    assert health.version.startswith("xllamacpp ")
    assert health.note.startswith(f"Own llama-server at {path} is not used: ")
    assert problem in health.note


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


def test_a_program_is_tried_once_for_all_processes(bin_folder: Path, model: str) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", counter=str(counter))
    code = "from lib.engines.llamacpp_program import checked; print(checked().version)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() == b"b10488"
    assert starts_of(counter) == 2  # its version, the tiny model
    ENGINE.start(model, SMALL)
    assert starts_of(counter) == 3


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


def test_a_trial_leaves_nothing_behind(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = settings().home / "tmp"
    folder.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found = llamacpp_program.checked()
    assert found is not None
    assert found.is_usable
    assert list(folder.iterdir()) == []
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    left = [line for line in lines if any(str(folder) in part for part in line)]
    assert [line for line in left if keeper.__file__ not in line] == []


# Replaced in a start


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ({"dies_of": {"model.gguf": signal.SIGILL}}, "(signal 4)"),
        ({"dies_of": {"model.gguf": signal.SIGABRT}}, "(signal 6)"),
        (
            {"says": {"model.gguf": "unknown model architecture: 'new'"}},
            "does not know the architecture “new”",
        ),
    ],
)
def test_a_model_that_the_own_program_cannot_run_is_run_by_the_wheel(
    bin_folder: Path, model: str, behaviour: dict[str, object], why: str
) -> None:
    path = write_program(bin_folder / "llama-server", **behaviour)
    ENGINE.start(model, SMALL)
    running = shown()
    assert running.state == State.READY
    assert (child().program, running.problem) == ("", "")
    assert running.note.startswith(f"llama.cpp b10488 of your own, {path}, could not run it: ")
    assert why in running.note
    assert running.note.endswith(f"See {file_of(model, 'failed')}.")
    assert ENGINE.health().version == f"llama.cpp b10488 of your own, {path}"
    ENGINE.remove(model)
    assert list(settings().engines.glob("model.*")) == []


def test_what_the_own_program_said_is_kept(bin_folder: Path, model: str) -> None:
    write_program(bin_folder / "llama-server", says={"model.gguf": "the moon is wrong"})
    ENGINE.start(model, SMALL)
    assert "the moon is wrong" in file_of(model, "failed").read_text()
    assert "the moon is wrong" not in file_of(model, "log").read_text()


def test_a_start_for_which_memory_is_short_is_not_tried_with_the_wheel(
    bin_folder: Path, model: str
) -> None:
    counter = bin_folder.parent / "count"
    says = {"model.gguf": "ggml_aligned_malloc: failed to allocate 99 GB"}
    path = write_program(bin_folder / "llama-server", says=says, counter=str(counter))
    with pytest.raises(EngineError, match="memory for the model"):
        ENGINE.start(model, SMALL)
    assert child().program == str(path)
    assert shown().state == State.FAILED


def test_a_model_that_no_program_can_run_tells_what_the_wheel_found(
    bin_folder: Path, home: Path
) -> None:
    write_tiny(home / "models" / "odd.gguf", architecture="zork")
    write_program(bin_folder / "llama-server")
    with pytest.raises(EngineError, match="does not know the architecture “zork”"):
        ENGINE.start("odd", SMALL)
    assert shown().state == State.FAILED
    assert (shown().note, "zork" in shown().problem) == ("", True)


def test_a_broken_file_is_refused_before_any_program_runs(bin_folder: Path, home: Path) -> None:
    counter = bin_folder.parent / "count"
    write_program(bin_folder / "llama-server", counter=str(counter))
    write_truncated(home / "models" / "cut.gguf")
    with pytest.raises(BrokenFile):
        ENGINE.start("cut", SMALL)
    assert starts_of(counter) == 0


def test_a_program_that_has_gone_since_its_trial_is_told_and_the_wheel_is_used(
    bin_folder: Path, model: str
) -> None:
    path = write_program(bin_folder / "llama-server")
    change(llama_server=str(path))
    llamacpp_program.checked()
    path.unlink()
    ENGINE.start(model, SMALL)
    assert child().program == ""
    expected = f"Own llama-server at {path} is not used: No such file or directory."
    assert ENGINE.health().note == expected


def test_the_key_is_in_no_command_line(own: str, model: str) -> None:
    ENGINE.start(model, SMALL)
    key = file_of(model, "key").read_text().strip()
    for each in psutil.process_iter(["cmdline"]):
        assert key not in " ".join(each.info["cmdline"] or [])


def test_a_child_of_the_own_program_that_is_killed_is_shown_as_failed(own: str, model: str) -> None:
    ENGINE.start(model, SMALL)
    os.kill(child().pid, signal.SIGKILL)
    give_up_at = time.monotonic() + 20
    while shown().state != State.FAILED and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert "signal 9" in shown().problem
