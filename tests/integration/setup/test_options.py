"""setup.sh, run by a real bash: its options, and the Python it looks for."""

import subprocess
from pathlib import Path

import pytest

from tests.support.clone import NEEDED, Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_the_head_of_the_script(clone: Clone, option: str) -> None:
    done = clone.run(option)
    assert done.returncode == 0
    assert "--port N" in done.stdout and "Exit codes" in done.stdout
    assert "#" not in done.stdout and "pipefail" not in done.stdout


def test_every_option_and_exit_code_is_in_the_help(clone: Clone) -> None:
    script = (clone.root / "setup.sh").read_text(encoding="utf-8")
    told = clone.run("--help").stdout
    for line in script.splitlines():
        word = line.strip().split(")")[0]
        if word.startswith("--") and "=" not in word:
            assert word.split(" ")[0] in told
        if " fail " in line and (code := line.split(" fail ")[1].split(" ")[0]).isdigit():
            assert f"\n  {code}  " in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["deploy"],
        ["--all"],
        [""],
        ["--port"],
        ["--port", ""],
        ["--port", "0"],
        ["--port", "-1"],
        ["--port", "65536"],
        ["--port", "08501"],
        ["--port", "8501x"],
        ["--port", "8501\n8502"],
        ["--port", "８５０１"],
        ["--port", "\u202e1058"],
        ["--port", "9" * 10_000],
        ["--port", "$(touch x)"],
        ["--port=8501; touch x"],
        ["--install-only", "x" * 10_000],
        ["--share=2h"],
        ["--share=$(touch x)"],
        ["--share="],
        ["--share", "8h"],
        ["--share", "doctor"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments))[:30],
)
def test_what_cannot_be_used_is_refused_in_two_lines(clone: Clone, arguments: list[str]) -> None:
    done = clone.run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert said[-1].startswith("Usage: ./setup.sh")
    assert len(said) == 2 and len(said[0]) < 400
    assert done.stderr.isascii() and done.stderr.replace("\n", "").isprintable()
    assert not (clone.root / "x").exists() and not clone.venv.exists()


def test_sourced_it_only_defines_functions(clone: Clone) -> None:
    done = clone.call("type -t main install_list")
    assert done.stdout.split() == ["function", "function"]
    assert done.stderr == "" and not clone.venv.exists()


def test_it_finds_bash_when_it_is_started_with_sh(clone: Clone) -> None:
    done = subprocess.run(
        ["sh", clone.root / "setup.sh", "--help"], env=clone.world(), capture_output=True, text=True
    )
    assert done.returncode == 0 and "Exit codes" in done.stdout


def test_a_machine_without_python_is_told_how_to_get_one(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    done = clone.run()
    assert done.returncode == 4
    assert "Python 3.11 or newer is needed. None was found." in done.stderr
    assert "Install it" in done.stderr


def test_a_python_that_is_too_old_is_named(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    clone.command("python3", "echo 3.9.6")
    clone.command("python", "echo 2.7.18")
    done = clone.run()
    assert done.returncode == 4
    assert "Found: 3.9.6 (python3), 2.7.18 (python)." in done.stderr


@pytest.mark.parametrize("tool", ["apt-get", "dnf", "brew"])
def test_the_advice_is_for_the_package_manager_that_is_there(clone: Clone, tool: str) -> None:
    clone.has_only(*NEEDED)
    clone.command(tool, "exit 1")
    assert f"{tool.removesuffix('-get')} install" in clone.run().stderr


def test_on_macos_without_homebrew_the_advice_is_the_installer(clone: Clone) -> None:
    clone.has_only(*(name for name in NEEDED if name != "uname"))
    clone.command("uname", "echo Darwin")
    assert "python.org/downloads/" in clone.run().stderr


def test_a_python_without_its_venv_module_is_named(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    clone.command("apt-get", "exit 1")
    clone.command("python3", 'case "$*" in *ensurepip*) exit 1 ;; esac; echo 3.12.1')
    done = clone.run()
    assert done.returncode == 4
    assert "Python 3.12.1 is here, but not its venv module." in done.stderr
    assert "python3-venv (or python3.12-venv)" in done.stderr


def test_commands_that_are_no_usable_python_are_passed_over(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    clone.command("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    clone.command("python3.12", 'case "$*" in *ensurepip*) exit 1 ;; esac; echo 3.12.1')
    clone.command("python3.11", "echo Welcome to 3.11; echo 3.11.9")
    clone.command("python3.14", "echo 3.14.2")
    clone.command("python3", "echo 3.9.6")
    found = clone.call('find_python; echo "$PYTHON_FOUND $PYTHON_VERSION"')
    assert found.stdout == "python3.14 3.14.2\n"


def test_the_python_asked_for_is_taken(clone: Clone) -> None:
    mine = clone.command("my python", "echo 3.12.9")
    found = clone.call('find_python; echo "$PYTHON_FOUND"', PYTHON=str(mine))
    assert found.stdout == f"{mine}\n"


def test_the_python_asked_for_is_named_when_there_is_none(clone: Clone) -> None:
    done = clone.run(PYTHON="/no/such/python")
    assert done.returncode == 4
    assert "None was found at /no/such/python." in done.stderr


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.7.18", 1), ("3.9.6", 1), ("3.10.14", 1), ("3.11.0", 0), ("3.14.0", 0), ("4.0.0", 0)],
)
def test_versions_are_compared_as_numbers(clone: Clone, version: str, expected: int) -> None:
    done = clone.call(f"is_new_enough {version} && exit 0 || exit 1")
    assert done.returncode == expected
