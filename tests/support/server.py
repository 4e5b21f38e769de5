"""The real server as a process of its own, on a free port, with a BERTH_HOME of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import FOREIGN, ROOT

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Server:
    """A running server; `url` is its address, `home` its BERTH_HOME, `output` what it prints."""

    def __init__(
        self,
        home: Path,
        world: Mapping[str, str] | None = None,
        port: int = 0,
        files: int = 0,
        root: Path = ROOT,
    ) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "server.log"
        clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        command = [sys.executable, "-m", "lib.server", "--port", str(port)]
        if files:  # no more than these may be open in it
            command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(files), *command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=root,
                env={**clean, "BERTH_HOME": str(home), **(world or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.port = 0

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """What a browser sends as Host."""
        return f"127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def key(self) -> dict[str, str]:
        """The header that proves the owner, where the owner has made a key."""
        with contextlib.suppress(OSError):
            key = (self.home / "owner.key").read_text(encoding="ascii").strip()
            return {"Authorization": f"Bearer {key}"}
        return {}

    def wait_until_ready(self) -> "Server":
        """Return when /api/health answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server did not start:\n{self.output}")
            time.sleep(0.05)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, as systemd would unless told otherwise; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"The server did not end:\n{self.output}") from None

    def _answers(self) -> bool:
        try:
            record = json.loads((self.home / "dashboard.json").read_text(encoding="utf-8"))
            if record["pid"] != self.process.pid:
                return False
            self.port = record["port"]
            request = urllib.request.Request(f"{self.url}/api/health", headers=self.key)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False


@contextlib.contextmanager
def running_server(
    home: Path,
    world: Mapping[str, str] | None = None,
    port: int = 0,
    files: int = 0,
    root: Path = ROOT,
) -> Iterator[Server]:
    """A server that answers; stopped at the end, whatever happened. `world` adds to os.environ.

    It is that of the checkout in `root`, where that is another one than this.
    """
    server = Server(home, world, port, files, root)
    try:
        yield server.wait_until_ready()
    finally:
        server.stop()
