"""A link that a deployment made goes with it where its model does not come to run."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import deploy
from lib.engines import find_model
from lib.engines.base import State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp.adopt import adopt
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.support.deployment import Script, last_line
from tests.support.stores import hub_cache, ollama_store, studio
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("no_ollama", "nothing_left_running")


def spoil(*files: Path) -> None:
    """Let the engine miss a tensor, which no header check asks for."""
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data.replace(b"blk.0.attn_output.weight", b"blk.0.attn_outpud.weight"))


def one_file(folder: Path) -> list[Path]:
    return write_tiny(folder / "mine" / "odd.gguf")


def of_the_cache(folder: Path) -> list[Path]:
    return hub_cache(folder / "hub", "acme/Odd", "odd.gguf", projector=True)[:1]


def divided(folder: Path) -> list[Path]:
    return write_tiny(folder / "mine" / "odd.gguf", parts=2)


def of_ollama(folder: Path) -> list[Path]:
    return [ollama_store(folder / "ollama", "registry.ollama.ai/library/odd/1b", projector=True)]


def of_a_folder(folder: Path) -> list[Path]:
    where = studio(folder, "acme/VL-GGUF", "odd-Q4_K_M.gguf")
    return [where / "odd-Q4_K_M.gguf"]


def links(home: Path) -> list[Path]:
    return [path for path in (home / "models").rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("made", [one_file, of_the_cache, divided, of_ollama, of_a_folder])
def test_a_file_that_the_engine_cannot_load_keeps_no_link(
    script: Script, home: Path, tmp_path: Path, made: Callable[[Path], list[Path]]
) -> None:
    files = made(tmp_path)
    spoil(*files)
    done = script.run(str(files[0]), "--engine", "llamacpp")
    assert done.returncode == 7, done.stdout + done.stderr
    assert "does not match what the engine expects" in last_line(done)
    assert "The link to" in done.stdout
    assert "as before." in done.stdout
    assert links(home) == []
    assert ENGINE.models() == []
    assert list((home / "engines" / "links").iterdir()) == []
    assert all(file.is_file() for file in files)


def test_a_job_of_the_page_keeps_none_either(home: Path, tmp_path: Path) -> None:
    [file] = one_file(tmp_path)
    spoil(file)
    job = deploy.start(deploy.wished(model=str(file), engine="llamacpp"))
    until(lambda: not jobs.find(job.id).is_active, seconds=60)
    assert jobs.find(job.id).state == JobState.FAILED
    assert f"The link to {file} was taken back" in (job.folder / "log").read_text("utf-8")
    assert links(home) == []


def test_a_link_that_was_there_before_stays(script: Script, home: Path, tmp_path: Path) -> None:
    [file] = one_file(tmp_path)
    adopt(file)
    spoil(file)
    done = script.run(str(file), "--engine", "llamacpp")
    assert done.returncode == 7, done.stdout + done.stderr
    assert "The link to" not in done.stdout
    assert [link.readlink() for link in links(home)] == [file]


def test_a_model_that_has_run_keeps_its_link(script: Script, home: Path, tmp_path: Path) -> None:
    [file] = one_file(tmp_path)
    assert script.run(str(file), "--engine", "llamacpp").returncode == 0
    assert list((home / "engines" / "links").iterdir()) == []
    ENGINE.stop("odd")
    spoil(file)
    assert script.run(str(file), "--engine", "llamacpp").returncode == 7
    assert [link.readlink() for link in links(home)] == [file]
    assert find_model("odd").state == State.FAILED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelled_before_it_runs_it_takes_the_link_back(
    script: Script, home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    [file] = one_file(tmp_path)
    running = script.start(str(file), "--engine", "llamacpp")
    try:
        until(lambda: links(home), seconds=60)
        os.killpg(running.process.pid, number)
        assert running.process.wait(60) == 130
    finally:
        running.close()
    assert links(home) == []
    assert ENGINE.models() == []
    assert file.is_file()


def test_what_was_killed_leaves_its_link_to_whoever_looks_next(
    script: Script, home: Path, tmp_path: Path
) -> None:
    [file] = one_file(tmp_path)
    running = script.start(str(file), "--engine", "llamacpp")
    try:
        until(lambda: links(home), seconds=60)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(60)
    finally:
        running.close()
    ENGINE.stop("odd")  # where the engine had been started already
    [other] = write_tiny(tmp_path / "other" / "even.gguf")
    adopt(other)
    assert [link.name for link in links(home)] == ["even.gguf"]
    assert file.is_file()
