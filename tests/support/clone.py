"""A clone of the project in an awkward folder, and its setup.sh run there by a real bash."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BASH = os.environ.get("BERTH_TEST_BASH", "bash")  # macOS has 3.2
SECONDS = 120.0
LINKED = ("Home.py", "lib", "pages", ".streamlit", "requirements.txt", "requirements-dev.txt")
PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "BERTH_HOME")
# All that the scripts call.
NEEDED = (
    *(
        "cat",
        "cut",
        "df",
        "dirname",
        "grep",
        "id",
        "ln",
        "mkdir",
        "rm",
        "sed",
        "sort",
        "tail",
        "tr",
    ),
    "uname",
)
NOWHERE = "http://127.0.0.1:9/simple"  # nothing listens on the discard port
# Tests that run in the background inherit ignored signals, and a shell cannot trap those.
AS_IN_FRONT = """import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""
PIP = """echo 'Collecting pyarrow==26.0.1'
echo '  Downloading pyarrow-26.0.1-cp311-cp311-linux.whl.metadata (13 kB)'
echo '  Downloading pyarrow-26.0.1-cp311-cp311-linux.whl (55.0 MB)'
echo 'Installing collected packages: pyarrow'
exit 0"""


class Clone:
    """The folder, and `bin`, whose commands come first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / 'my clone\'s "first" $(touch x)'
        self.bin = folder / "bin"
        self.calls = folder / "calls"  # of the Python in .venv, one a line
        self.path = f"{self.bin}:{os.environ['PATH']}"
        self.bin.mkdir(parents=True)
        (self.root / "tests").mkdir(parents=True)
        shutil.copy(ROOT / "setup.sh", self.root)
        shutil.copy(ROOT / "tests" / "run.sh", self.root / "tests")
        for name in LINKED:
            (self.root / name).symlink_to(ROOT / name)
        self.command("python3.13", 'exec "$REAL_PYTHON" "$@"')

    @property
    def venv(self) -> Path:
        """Where setup.sh installs."""
        return self.root / ".venv"

    @property
    def has_called_pip(self) -> bool:
        """Since `make_venv`, or since the last time this was asked."""
        calls = self.calls.read_text(encoding="utf-8")
        self.calls.write_text("", encoding="utf-8")
        return "-m pip install" in calls

    def command(self, name: str, script: str) -> Path:
        """Put a small shell command on the PATH."""
        return executable(self.bin / name, script)

    def has_only(self, *names: str) -> None:
        """Take everything off the PATH but these, which are the machine's own."""
        shutil.rmtree(self.bin)
        self.bin.mkdir()
        self.path = str(self.bin)
        for name in names:
            program = shutil.which(name)
            assert program, f"this machine has no {name}"
            (self.bin / name).symlink_to(program)

    def make_venv(self, pip: str = PIP, before: str = "") -> None:
        """A .venv with the packages of this one; `pip` stands for pip, `before` sees all calls."""
        self.calls.touch()
        script = [
            f'echo "$*" >> "{self.calls}"',
            before,
            f'if [ "$1 $2" = "-m pip" ]; then\n{pip}\nfi',
            'exec "$REAL_PYTHON" "$@"',
        ]
        executable(self.venv / "bin" / "python", "\n".join(script))

    def install(self) -> None:
        """As if setup.sh had run here before."""
        self.make_venv()
        assert self.run("--install-only").returncode == 0

    def requires(self, text: str) -> None:
        """Give it a list of packages of its own."""
        (self.root / "requirements.txt").unlink()
        (self.root / "requirements.txt").write_text(text, encoding="utf-8")

    def world(self, **more: str) -> dict[str, str]:
        """The environment of its commands: nothing of this machine's but what they need."""
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**kept, "PATH": self.path, "REAL_PYTHON": sys.executable, **more}

    def run(
        self, *arguments: str, script: str = "setup.sh", **world: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, without a terminal."""
        return self._finished([str(self.root / script), *arguments], world)

    def call(self, lines: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Source setup.sh for its functions, then run these lines."""
        return self._finished(self.sourced(lines), world)

    def sourced(self, lines: str) -> list[str]:
        """The arguments with which bash does that."""
        return ["-c", f'TESTING=1; source "$1"\n{lines}', "bash", str(self.root / "setup.sh")]

    def start(self, *arguments: str, **world: str) -> "Run":
        """Start setup.sh and leave it running."""
        return Run([bash(), str(self.root / "setup.sh"), *arguments], self.world(**world))

    def on_terminal(self, arguments: list[str], typed: str = "") -> tuple[int, str]:
        """Run bash on a real terminal to its end; the exit code, and what the terminal showed."""
        ours, its = os.openpty()
        process = subprocess.Popen(
            [bash(), *arguments], cwd=self.root, env=self.world(), stdin=its, stdout=its, stderr=its
        )
        os.write(ours, typed.encode())
        code = process.wait(SECONDS)
        shown = os.read(ours, 65_536).decode("utf-8", "replace")
        os.close(its)
        os.close(ours)
        return code, shown

    def _finished(
        self, arguments: list[str], world: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bash(), *arguments],
            cwd=self.root,
            env=self.world(**world),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )


class Run:
    """A running script, in a process group of its own as a terminal would give it."""

    def __init__(self, command: list[str], world: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", AS_IN_FRONT, *command],
            env=world,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = ""

    def until(self, text: str) -> None:
        """Wait until it has printed this."""
        self._wait(lambda: text in self.output, f"print {text!r}")

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        self._wait(lambda: self.process.poll() is not None, "end")
        self._read()
        return self.process.returncode

    def interrupt(self) -> int:
        """Ctrl-C: the whole group is told; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.ended()

    def close(self) -> None:
        """Leave nothing running: setup.sh takes the dashboard, a group of its own, with it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(SECONDS)
        assert self.process.stdout
        self.process.stdout.close()

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            is_over = self.process.poll() is not None
            self._read()
            late = time.monotonic() > deadline
            assert holds() or not (is_over or late), f"It did not {what}:\n{self.output}"
            time.sleep(0.05)

    def _read(self) -> None:
        assert self.process.stdout
        piece = self.process.stdout.read()
        self.output += piece.decode("utf-8", "replace") if piece else ""


def bash() -> str:
    """The bash that runs the scripts."""
    program = shutil.which(BASH)
    assert program, f"there is no {BASH}"
    return program


def executable(path: Path, script: str) -> Path:
    """Write a small shell program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to the machine's own
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
