"""The stand-in for the `ollama` command behaves like the real one, which scripts rely on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_ollama import ROOT, running_ollama
from tests.support.fake_ollama.registry import STARTER
from tests.support.tiny_gguf import write_tiny

BIN = ROOT / "tests" / "support" / "bin"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_ollama("--models", STARTER) as fake:
        yield fake.url


def ollama(url: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    world = {**os.environ, "OLLAMA_HOST": url, "BERTH_TEST_PYTHON": sys.executable}
    world["PATH"] = f"{BIN}{os.pathsep}{world['PATH']}"
    command = ["ollama", *arguments]
    return subprocess.run(command, env=world, cwd=cwd, capture_output=True, text=True, timeout=60)


def test_what_is_there_is_printed_in_columns(url: str) -> None:
    header, row = ollama(url, "list").stdout.splitlines()
    assert header.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert row.split()[:4] == [STARTER, "e4d6dbc87521", "491", "MB"]
    assert ollama(url, "--version").stdout == "ollama version is 0.24.1\n"


def test_a_model_is_run_seen_and_stopped(url: str) -> None:
    said = ollama(url, "run", STARTER, "Say hi.")
    assert (said.returncode, said.stdout) == (0, "Hello! How can I assist you today?\n")
    assert STARTER in ollama(url, "ps").stdout
    assert ollama(url, "stop", STARTER).returncode == 0
    assert STARTER not in ollama(url, "ps").stdout


def test_a_pull_tells_its_progress_on_stderr(url: str) -> None:
    pulled = ollama(url, "pull", "llama3.2:1b")
    assert (pulled.returncode, pulled.stdout) == (0, "")
    assert pulled.stderr.splitlines()[-1] == "success"
    assert ollama(url, "cp", "llama3.2:1b", "copy").stdout == "copied 'llama3.2:1b' to 'copy'\n"
    assert ollama(url, "rm", "copy", "llama3.2:1b").returncode == 0


def test_a_model_is_made_of_a_file(url: str, tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny.gguf")
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_ctx 512\n")
    made = ollama(url, "create", "mine", "-f", "./Modelfile", cwd=tmp_path)
    assert (made.returncode, made.stderr.splitlines()[-1]) == (0, "success")
    assert "quantization" in ollama(url, "show", "mine").stdout
    assert ollama(url, "rm", "mine").stdout == "deleted 'mine'\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nosuch"], "Error: model 'nosuch:latest' not found"),
        (["stop", "nosuch"], 'Error: couldn\'t find model "nosuch" to stop'),
        (["rm", "nosuch"], "Error: model 'nosuch' not found"),
        (["run", "nosuch", "hi"], "Error: pull model manifest: file does not exist"),
        (["pull", "hf.co/org/nosuch-GGUF:Q4_K_M"], "Error: pull model manifest: file does not"),
        (["bogus"], 'Error: unknown command "bogus" for "ollama"'),
    ],
)
def test_failures_exit_with_1_and_a_reason_on_stderr(
    url: str, arguments: list[str], said: str
) -> None:
    failed = ollama(url, *arguments)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert said in failed.stderr


def test_without_a_server_every_command_says_so() -> None:
    for arguments in (["list"], ["pull", STARTER]):
        failed = ollama("127.0.0.1:1", *arguments)
        assert failed.returncode == 1
        assert failed.stderr.strip() == (
            "Error: could not connect to ollama server, run 'ollama serve' to start it"
        )
