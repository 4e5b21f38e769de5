"""deploy_cpu.sh with Ollama: pulled or handed over, installed, started, refused."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.settings import settings
from lib.fit import gguf
from lib.hub import cache
from tests.conftest import ROOT
from tests.support.deployment import REPOSITORY, Script, add_tiny, last_line
from tests.support.fake_ollama import RunningOllama, running_ollama
from tests.support.hub_api import ANSWERS, HubApi
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import members, until

STARTER = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
PULLED = f"hf.co/{STARTER}:Q4_K_M"
NEEDED = (
    "awk",
    "bash",
    "cat",
    "date",
    "dirname",
    "head",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sleep",
    "tr",
)


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningOllama]:
    with running_ollama() as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        yield fake


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "script")


@pytest.fixture
def bare(script: Script, monkeypatch: pytest.MonkeyPatch) -> Script:
    """A machine that has no Ollama, whatever this one has, and a free port for one."""
    for name in (*NEEDED, "uname"):
        program = shutil.which(name)
        assert program
        (script.bin / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(script.bin))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{probe.getsockname()[1]}")
    return script


@pytest.fixture
def known_starter(tmp_path: Path) -> None:
    """What the real Hub would answer about the starter, as if it had been asked just now."""
    text = (ANSWERS / f"{STARTER.replace('/', '__')}.json").read_text("utf-8")
    cache.write(f"/api/models/{STARTER}/revision/main?blobs=true", text)
    header = gguf.read_model(write_tiny(tmp_path / "any.gguf")[0]).model_dump_json()
    for line in text.split('"sha256": "')[1:]:
        cache.write(f"header {line[:64]}", header)


def ollama_program(script: Script) -> str:
    """An `ollama` whose server is the fake one."""
    serve = f'exec "{sys.executable}" -m tests.support.fake_ollama --port "${{OLLAMA_HOST#*:}}"'
    return f'cd "{ROOT}"; echo $$ >"{script.bin}/pid"; unset PYTHONSAFEPATH; {serve}'


def end_server(script: Script) -> None:
    os.kill(int((script.bin / "pid").read_text()), signal.SIGTERM)


@pytest.mark.usefixtures("known_starter")
def test_ollama_pulls_a_model_of_the_hub_by_itself(script: Script, ollama: RunningOllama) -> None:
    done = script.run(STARTER, "--quant", "Q4_K_M", "--context", "1024")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ollama 0.24.1 runs." in done.stdout
    assert ollama.bodies("/api/pull") == [{"model": PULLED}]
    assert last_line(done).startswith(f"{PULLED} is ready at")
    totals = {event.total for event in script.events() if event.phase == "download"}
    assert max(totals) > 491_000_000
    again = script.run(STARTER, "--quant", "Q4_K_M")
    assert again.returncode == 0
    assert len(ollama.bodies("/api/pull")) == 1


@pytest.mark.usefixtures("known_starter")
def test_cancelled_in_a_pull_ollama_is_told(script: Script, ollama: RunningOllama) -> None:
    ollama.behave(pull_seconds=60)
    running = script.start(STARTER, "--quant", "Q4_K_M")
    try:
        running.until("Ollama fetches")
        until(lambda: bool(ollama.bodies("/api/pull")))
        assert running.interrupt() == 130
    finally:
        running.close()
    assert members(running.process.pid) == []
    assert ollama.last_call("left")["path"] == "/api/pull"


def test_what_ollama_cannot_pull_is_fetched_and_handed_over(
    script: Script, ollama: RunningOllama, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    done = script.run(REPOSITORY, "--engine", "ollama")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ollama.bodies("/api/pull") == []
    [created] = [b for b in ollama.bodies("/api/create") if "files" in b]
    assert created["model"] == f"hf.co/{REPOSITORY}:Q4_K_M"
    assert not list(settings().models.rglob("*.gguf"))  # one copy is enough


def test_a_divided_model_is_handed_over_with_all_its_parts(
    script: Script, ollama: RunningOllama, hub: HubApi, tmp_path: Path
) -> None:
    files = add_tiny(hub, tmp_path / "files", "Q4_K_M", parts=3)
    script.run(REPOSITORY, "--engine", "ollama")
    [created] = [b for b in ollama.bodies("/api/create") if "files" in b]
    assert list(created["files"]) == [file.name for file in files]


def test_a_file_of_this_machine_is_copied_by_ollama_and_stays(
    script: Script, ollama: RunningOllama, tmp_path: Path
) -> None:
    [file] = write_tiny(tmp_path / "mine.gguf")
    done = script.run(str(file), "--engine", "ollama")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine:latest is ready" in last_line(done)
    assert file.exists()


def test_an_ollama_that_is_too_old_ends_with_7(
    script: Script, ollama: RunningOllama, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    ollama.behave(version="0.5.0")
    done = script.run(REPOSITORY, "--engine", "ollama")
    assert done.returncode == 7
    assert "Update Ollama" in last_line(done)


def test_an_answer_that_does_not_come_ends_with_8(
    script: Script, ollama: RunningOllama, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    ollama.behave(die_after=0)
    done = script.run(REPOSITORY, "--engine", "ollama")
    assert done.returncode == 8
    assert "Test failed" in last_line(done)
    assert script.events()[-1].state == "failed"


def test_an_ollama_that_is_installed_and_down_is_started(
    bare: Script, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    bare.command("ollama", ollama_program(bare))
    done = bare.run(REPOSITORY, "--engine", "ollama")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Starting Ollama." in done.stdout
    finally:
        end_server(bare)


def test_an_ollama_that_cannot_start_says_why(bare: Script, hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    bare.command("ollama", "echo 'Error: listen tcp: bind: address already in use'; exit 1")
    done = bare.run(REPOSITORY, "--engine", "ollama")
    assert done.returncode == 7
    assert "address already in use" in last_line(done)


def test_ollama_is_installed_by_its_own_installer_when_that_was_agreed_to(
    bare: Script, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    program = bare.command("ollama-to-be", ollama_program(bare))
    bare.command(
        "curl", f'echo "$*" >"{bare.bin}/asked"; echo "mv {program} {bare.bin}/ollama" >"$3"'
    )
    refused = bare.run(REPOSITORY, "--engine", "ollama")
    assert refused.returncode == 7
    assert "--yes" in last_line(refused)
    done = bare.run(REPOSITORY, "--engine", "ollama", "--yes")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "https://ollama.com/install.sh" in (bare.bin / "asked").read_text()
    finally:
        end_server(bare)


@pytest.mark.parametrize(
    ("curl", "said"),
    [
        ("exit 22", "could not be downloaded"),
        ('echo "exit 1" >"$3"', "installer failed"),
    ],
)
def test_an_installer_that_fails_ends_with_7(
    bare: Script, hub: HubApi, tmp_path: Path, curl: str, said: str
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    bare.command("curl", curl)
    done = bare.run(REPOSITORY, "--engine", "ollama", "--yes")
    assert done.returncode == 7
    assert said in done.stdout
    assert "--engine llamacpp" in last_line(done)
    assert [e.state for e in bare.events() if e.phase == "engine"][-1] == "failed"


def test_on_a_mac_homebrew_installs_it_or_the_address_is_told(
    bare: Script, hub: HubApi, tmp_path: Path
) -> None:
    lines = f'ENGINE=ollama DRY_RUN="" YES=yes CHILD="" PLAN="{tmp_path}/plan"; install_ollama'
    bare.command("uname", "echo Darwin")
    told = bare.call(lines)
    assert told.returncode == 7
    assert "https://ollama.com/download" in told.stdout
    bare.command("brew", f'echo "$*" >"{bare.bin}/asked"')
    assert bare.call(lines).returncode == 0
    assert (bare.bin / "asked").read_text() == "install ollama\n"


def test_a_dry_run_installs_nothing(bare: Script, hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    bare.command("curl", f'touch "{bare.bin}/asked"')
    done = bare.run(REPOSITORY, "--engine", "ollama", "--dry-run")
    assert done.returncode == 0
    assert "would run the official installer" in done.stdout
    assert not (bare.bin / "asked").exists()
