"""deploy_cpu.sh run by a real bash, and small repositories for it to deploy."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.jobs import events
from lib.jobs.events import Event
from tests.conftest import FOREIGN, ROOT
from tests.support.clone import Run, bash, executable
from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi
from tests.support.tiny_gguf import write_tiny

SCRIPT = ROOT / "deploy_cpu.sh"
PATTERN = "acme/Anvil-1B-GGUF"
REPOSITORY = "acme/Tiny-GGUF"
SECONDS = 120.0


def add_tiny(
    hub: HubApi,
    folder: Path,
    *quantizations: str,
    repository: str = REPOSITORY,
    manner: Manner | None = None,
    parts: int = 1,
    changes: Mapping[str, object] | None = None,
) -> list[Path]:
    """A repository of models that the engine loads in no time, one for each quantization."""
    hub.copy_repository(PATTERN, repository, **{"siblings": [], **(changes or {})})
    made = []
    for quantization in quantizations or ("Q4_K_M", "Q8_0"):
        for file in write_tiny(folder / f"Tiny-{quantization}.gguf", parts=parts):
            hub.add_file(repository, file.name, file.read_bytes(), manner)
            made.append(file)
    return made


class Script:
    """The script with commands of the test's own first on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.told = folder / "job" / "events.jsonl"
        self.told.parent.mkdir()

    def command(self, name: str, script: str) -> Path:
        """Put a small shell command on the PATH."""
        return executable(self.bin / name, script)

    def world(self, **more: str) -> dict[str, str]:
        """The environment: this test's, without what its machine may have set."""
        kept = {name: value for name, value in os.environ.items() if name != "BERTH_EVENTS"}
        assert not {"HF_TOKEN", "BERTH_PORT"} & set(kept) - set(FOREIGN)
        path = f"{self.bin}:{os.environ['PATH']}"
        return {**kept, "PATH": path, "BERTH_EVENTS": str(self.told), **more}

    def run(
        self,
        *arguments: str,
        cwd: Path = ROOT,
        token: str = "",
        world: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, without a terminal."""
        more = {**(world or {}), **({"HF_TOKEN": token} if token else {})}
        return self._finished([str(SCRIPT), *arguments], cwd, more)

    def call(self, lines: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Source it for its functions, then run these lines."""
        return self._finished(["-c", f'TESTING=1; source "{SCRIPT}"\n{lines}'], ROOT, world)

    def start(self, *arguments: str, **world: str) -> Run:
        """Start it and leave it running, in a group of its own."""
        return Run([bash(), str(SCRIPT), *arguments], self.world(**world))

    def on_terminal(self, arguments: Sequence[str], typed: str, **world: str) -> tuple[int, str]:
        """Run it on a real terminal, where this is typed; the exit code and what was shown."""
        return on_terminal([bash(), str(SCRIPT), *arguments], typed, self.world(**world))

    def events(self) -> list[Event]:
        """What it told of itself."""
        return events.read(self.told)

    def _finished(
        self, arguments: list[str], cwd: Path, world: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bash(), *arguments],
            cwd=cwd,
            env=self.world(**world),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )


def on_terminal(command: Sequence[str], typed: str, world: Mapping[str, str]) -> tuple[int, str]:
    """Run the command on a real terminal, where this is typed; exit code and what was shown."""
    ours, its = os.openpty()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(world),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    os.write(ours, typed.encode())
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # the terminal is gone with its last user
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(SECONDS), shown.decode("utf-8", "replace")


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a person reads last."""
    return (done.stdout + done.stderr).rstrip("\n").rpartition("\n")[2]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A module of Berth's as a program."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
