"""Programs in the background, with real ones: what outlives what, and what ends how."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lib.core.errors import EngineError
from lib.processes import background as process
from lib.processes.background import Child
from tests.support.waiting import eventually

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a Python script; what still runs after the test is killed."""
    started = []

    def run(script: str, *arguments: str) -> Child:
        command = [sys.executable, "-I", "-S", "-c", script, *arguments]
        log, exit_file = tmp_path / "log", tmp_path / "exit"
        child = process.start(command, os.environ, log, exit_file)
        started.append(child)
        return child

    yield run
    for child in started:
        if process.is_alive(child):
            os.killpg(os.getpgid(child.pid), signal.SIGKILL)


def is_up(tmp_path: Path) -> bool:
    return "up" in (tmp_path / "log").read_text()


def test_a_child_has_a_session_of_its_own_and_its_output_is_private(
    start: Start, tmp_path: Path
) -> None:
    child = start(SLEEP)
    assert process.is_alive(child)
    assert os.getsid(child.pid) != os.getsid(0)
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert eventually(lambda: is_up(tmp_path))
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert (process.memory_bytes(child) or 0) > 2**20


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ],
)
def test_the_end_is_recorded(start: Start, tmp_path: Path, script: str, code: int) -> None:
    child = start(script)
    assert eventually(lambda: not process.is_alive(child))
    assert process.exit_code(child, tmp_path / "exit") == code


def test_an_end_of_another_process_is_not_taken_for_ours(start: Start, tmp_path: Path) -> None:
    child = start("raise SystemExit(7)")
    assert eventually(lambda: (tmp_path / "exit").exists())
    other = Child(pid=child.pid + 1, created_at=child.created_at)
    assert process.exit_code(other, tmp_path / "exit") is None


@pytest.mark.parametrize("content", ["", "x y", "1", "1 2 3", "\0"])
def test_a_damaged_exit_file_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "exit").write_text(content)
    assert process.exit_code(Child(pid=1, created_at=0), tmp_path / "exit") is None


def test_stopping_asks_and_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    child = start(SLEEP)
    group = os.getpgid(child.pid)
    process.stop(child, tmp_path / "exit")
    assert not process.is_alive(child)
    assert process.exit_code(child, tmp_path / "exit") == -signal.SIGTERM
    assert eventually(lambda: not [p for p in psutil.process_iter() if in_group(p, group)])


def in_group(candidate: psutil.Process, group: int) -> bool:
    try:
        is_dead = candidate.status() == psutil.STATUS_ZOMBIE
        return not is_dead and os.getpgid(candidate.pid) == group
    except (psutil.Error, OSError):
        return False


def test_a_child_that_will_not_listen_is_killed(start: Start, tmp_path: Path) -> None:
    child = start(STUBBORN)
    assert eventually(lambda: is_up(tmp_path))
    ladder = ((signal.SIGTERM, 0.3), (signal.SIGKILL, 10.0))
    process.stop(child, tmp_path / "exit", ladder)
    assert not process.is_alive(child)


def test_it_is_said_when_nothing_helped(start: Start, tmp_path: Path) -> None:
    child = start(STUBBORN)
    assert eventually(lambda: is_up(tmp_path))
    with pytest.raises(EngineError, match="could not be ended"):
        process.stop(child, tmp_path / "exit", ((signal.SIGTERM, 0.1),))


def test_stopping_twice_or_what_has_ended_is_harmless(start: Start, tmp_path: Path) -> None:
    child = start("raise SystemExit(0)")
    assert eventually(lambda: not process.is_alive(child))
    process.stop(child, tmp_path / "exit")
    process.stop(child, tmp_path / "exit")


def test_a_process_that_only_has_the_same_number_is_neither_ours_nor_stopped() -> None:
    myself = psutil.Process()
    impostor = Child(pid=myself.pid, created_at=myself.create_time() - 60)
    assert not process.is_alive(impostor)
    process.stop(impostor, Path("/nowhere"))
    assert process.is_alive(Child(pid=myself.pid, created_at=myself.create_time() + 0.5))


def test_a_child_lives_on_without_its_keeper(start: Start, tmp_path: Path) -> None:
    child = start(SLEEP)
    keeper = psutil.Process(child.pid).parent()
    assert keeper is not None
    keeper.kill()
    assert eventually(lambda: not keeper.is_running() or keeper.status() == psutil.STATUS_ZOMBIE)
    assert process.is_alive(child)
    process.stop(child, tmp_path / "exit")
    assert not process.is_alive(child)
    assert process.exit_code(child, tmp_path / "exit") is None


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^/no/such/program cannot be run: No such file"):
        process.start(["/no/such/program"], {}, tmp_path / "log", tmp_path / "exit")
    assert "No such file or directory" in (tmp_path / "log").read_text()


def test_arguments_arrive_as_they_are(start: Start, tmp_path: Path) -> None:
    odd = ["$(id)", "; ls", "a b", "'", '"', "*", "\u202e", "-n"]
    start("import sys; print(ascii(sys.argv[1:]))", *odd)
    assert eventually(lambda: ascii(odd) in (tmp_path / "log").read_text())


def test_a_new_start_begins_a_new_log(start: Start, tmp_path: Path) -> None:
    first = start("print('first')")
    assert eventually(lambda: not process.is_alive(first))
    start("print('second')")
    assert eventually(lambda: "second" in (tmp_path / "log").read_text())
    assert "first" not in (tmp_path / "log").read_text()


def test_a_free_port_can_be_bound() -> None:
    assert 1024 <= process.free_port() < 65_536
