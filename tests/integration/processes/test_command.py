"""One program run to its end, with real ones."""

import sys
from pathlib import Path

import psutil
import pytest

from lib.processes.command import run
from tests.support.waiting import eventually

TELL = "import sys; print('said'); print('warned', file=sys.stderr); sys.exit(3)"
ECHO = "import sys; sys.stdout.write(sys.stdin.read())"
# It leaves a child behind that holds on to its output.
LINGER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_what_a_program_said_and_how_it_ended_is_told() -> None:
    done = run([sys.executable, "-c", TELL])
    assert (done.code, done.stdout, done.stderr) == (3, "said\n", "warned\n")
    assert not done.is_good


def test_its_input_is_what_was_given_and_then_ends() -> None:
    assert run([sys.executable, "-c", ECHO]).stdout == ""
    assert run([sys.executable, "-c", ECHO], input_bytes="kéy".encode()).stdout == "kéy"


def test_arguments_reach_it_as_they_are_without_a_shell(tmp_path: Path) -> None:
    odd = "$(touch x); 'a' \"b\" *\n"
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1], end='')", odd])
    assert done.stdout == odd


def test_a_program_that_is_not_there_is_127() -> None:
    done = run(["/nowhere/at/all"])
    assert done.code == 127
    assert done.stderr == "/nowhere/at/all cannot be run: No such file or directory."


def test_one_without_an_environment_has_its_callers_and_another_only_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEN", "yes")
    tell = [sys.executable, "-c", "import os; print(os.environ.get('SEEN'))"]
    assert run(tell).stdout == "yes\n"
    assert run(tell, environment={}).stdout == "None\n"


def test_one_that_takes_too_long_is_killed_with_its_children_and_is_124() -> None:
    done = run([sys.executable, "-c", LINGER], seconds=1.0)
    assert done.code == 124
    assert eventually(lambda: not psutil.pid_exists(int(done.stdout)))


def test_output_that_is_no_text_is_read_leniently() -> None:
    done = run([sys.executable, "-c", "import os; os.write(1, b'a\\xffb')"])
    assert done.stdout == "a\ufffdb"
