"""A `llama-server` of the user's own: found, tried, used, remembered, and replaced where it fails.

BERTH_TEST_LLAMA_SERVER names a real one for the tests that need nothing but one that works; else
a program with the same flags serves through the engine of the wheel.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lib.core.errors import BrokenFile, EngineError
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines.base import ChatOptions, Model, StartOptions, State
from lib.engines.llamacpp import ENGINE, records
from lib.engines.llamacpp import program as llamacpp_program
from lib.engines.llamacpp.records import Record, file_of
from lib.engines.llamacpp.trial import tried
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


def shown_of(name: str) -> Model:
    return next(found for found in ENGINE.models() if found.name == name)


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


def test_it_gets_the_draft_model_and_the_layers_that_were_chosen(own: str, model: str) -> None:
    write_tiny(settings().models / "small.gguf")
    ENGINE.start(model, SMALL.model_copy(update={"draft": "small", "gpu_layers": 0}))
    assert shown_of(model).state == State.READY
    line = psutil.Process(child().pid).cmdline()
    assert line[line.index("-md") + 1].endswith("small.gguf")
    assert line[line.index("-ngl") + 1] == "0"
    assert "draft model '" in file_of(model, "log").read_text()


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


# Replaced


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
    says = {"model.gguf": "ggml_aligned_malloc: failed to allocate 99 GB"}
    path = write_program(bin_folder / "llama-server", says=says)
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
