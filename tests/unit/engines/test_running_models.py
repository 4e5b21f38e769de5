"""`python -m lib.engines`: what it lists; stopping real models is in the tests of setup.sh."""

import subprocess
import sys

import pytest

from lib.core.settings import ROOT
from lib.engines.__main__ import listing, main
from lib.engines.base import Model, State

READY = Model(
    name="qwen",
    engine="llamacpp",
    state=State.READY,
    memory_bytes=655 * 2**20,
    url="http://127.0.0.1:9000/v1",
)


def test_a_model_is_listed_with_its_state_memory_and_address() -> None:
    first, line, last = listing([READY]).splitlines()
    assert first == "1 model runs:"
    assert line == "  qwen  Ready  655 MiB  http://127.0.0.1:9000/v1"
    assert last == f"To stop: cd {ROOT} && {sys.executable} -m lib.engines stop --all"


def test_what_is_not_known_yet_is_left_out() -> None:
    starting = Model(name="qwen", engine="llamacpp", state=State.STARTING)
    assert "\n  qwen  Starting\n" in listing([starting, READY])


def test_several_models_are_counted() -> None:
    assert listing([READY, READY]).startswith("2 models run:\n")


def test_the_command_runs_where_nothing_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lib.engines"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "No model is running.\n", "")


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", "\0", "x" * 10_000, ""])
def test_a_name_that_no_model_has_is_an_error(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stop", name]) in (2, 4)
    said = capsys.readouterr()
    assert said.out == "" and len(said.err) < 400 and "\0" not in said.err


@pytest.mark.parametrize("arguments", [["stop"], ["stop", "a", "--all"], ["start"]])
def test_a_wrong_command_ends_with_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: python -m lib.engines" in capsys.readouterr().err
