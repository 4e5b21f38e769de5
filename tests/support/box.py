"""A throw-away machine with a real systemd: this one's root below an overlay, in a container.

    with box() as machine:
        machine.run("systemctl", "start", "berth-slot-0.service")
        machine.python("-m", "lib.slots", "check", …)

What is written there is gone afterwards, and the machine itself is untouched; loopback is shared,
so servers inside are reached from here. It needs root, and Debian's systemd and systemd-container.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.fake_server import ROOT
from tests.support.waiting import until

SIZE = "6g"
# What must not begin to work on the network that is shared.
MASKED = (
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-timesyncd.service",
    "systemd-resolved.service",
    "systemd-networkd.service",
    "getty.target",
    "console-getty.service",
)
TARGET = "[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"


class Box:
    """The machine, from its boot to its end."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Mount and start it; returns when systemd has come up."""
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={self._folder / 'upper'},workdir={self._folder / 'work'}"
        _do("mount", "-t", "overlay", "box", "-o", layers, str(self.root))
        units = self.root / "etc/systemd/system"
        (units / "box.target").write_text(TARGET)
        for name in MASKED:
            (units / name).unlink(missing_ok=True)
            (units / name).symlink_to("/dev/null")
        (self.root / "etc/machine-id").write_text("")
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"]
        command += [f"--directory={self.root}", "--console=pipe", "--hostname=box"]
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*command, "--", "--unit=box.target"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        until(self._is_up, "the boot of the box")

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A program in it, run to its end."""
        done = subprocess.run(
            [*self._inside(), *command],
            capture_output=True,
            text=True,
            env={**_own_world(), **(environment or {})},
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """This project's own Python in it, run from this project's folder."""
        script = 'cd "$1" && shift && exec "$@"'
        return self.run(
            "sh", "-c", script, "sh", str(ROOT), sys.executable, *arguments, check=check
        )

    def path(self, name: str) -> Path:
        """A file of it, seen from here."""
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """A file in it."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def give(self, environment: Path, place: str) -> None:
        """Have a virtual environment of this machine at a place of the box, where services see it.

        A link would not do, as its scripts name the folder that they were made in.
        """
        self.path(place).mkdir(parents=True)
        self.run("mount", "--bind", str(environment), place)
        for script in self.path(str(environment / "bin")).iterdir():
            if script.is_symlink() or not script.is_file():
                continue
            data = script.read_bytes()
            if str(environment).encode() in data and b"\0" not in data:
                script.write_bytes(data.replace(str(environment).encode(), place.encode()))

    def end(self) -> None:
        """Stop it and give everything back."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
            self._process.wait()
        _do("umount", "--lazy", str(self.root))

    def _inside(self) -> list[str]:
        return ["nsenter", "-t", str(self._init()), "-m", "-p", "-u", "-i", "-C", "--"]

    def _init(self) -> int:
        """The process that is number 1 in there; 0 as long as there is none."""
        assert self._process is not None
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        children = path.read_text().split() if path.exists() else []
        return int(children[0]) if children else 0

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "console").read_text()
        if not self._init():
            return False
        asked = [*self._inside(), "systemctl", "is-system-running", "--quiet"]
        return subprocess.run(asked, capture_output=True).returncode == 0


@contextlib.contextmanager
def box() -> Iterator[Box]:
    """A machine for as long as the block runs; what it writes is kept in memory."""
    assert os.geteuid() == 0, "The tests of whole machines need root."
    folder = Path(f"/run/berth-box-{os.getpid()}")
    folder.mkdir()
    _do("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "box", str(folder))
    machine = Box(folder)
    try:
        machine.boot()
        yield machine
    finally:
        machine.end()
        _do("umount", "--lazy", str(folder))
        folder.rmdir()


def _own_world() -> dict[str, str]:
    """The tests' environment, but for what keeps their own process from the machine: it is one."""
    return {name: value for name, value in os.environ.items() if name != "BERTH_SYSTEM_ROOT"}


def _do(*command: str) -> None:
    subprocess.run(command, check=True)
