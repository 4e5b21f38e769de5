"""A real systemd as process 1, over a throw-away layer on this machine's own files.

    with systemd_box(tmp_path, {"/some/folder": "/opt/inside"}) as box:
        box.run("systemctl", "start", "berth-slot-0.service")
        box.write("/etc/berth/engine.toml", "…")

It is booted in a container of its own (systemd-nspawn) in under a second; its network is loopback
alone, and nothing that is written in it reaches the machine. Needs root, overlayfs, and Debian's
packages systemd and systemd-container.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.conftest import ROOT

SIZE = "4g"
BOOT_SECONDS = 120.0
STOP_SECONDS = 30.0
RUN_SECONDS = 600.0
UP = ("running", "degraded")  # a service of the machine's own may have failed in there
NEEDED = ("systemd-nspawn", "nsenter", "mount", "umount")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TARGET = """[Unit]
Description=Just enough for a test
Requires=basic.target
After=basic.target
AllowIsolate=yes
"""
# What a container has no use for, or what belongs to the machine itself.
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


class Box:
    """The booted system."""

    def __init__(self, root: Path, init: int) -> None:
        self.root, self._init = root, init

    def command(self, *words: str) -> list[str]:
        """What runs these words inside."""
        spaces = ["-m", "-p", "-u", "-i", "-n", "-C"]
        return ["nsenter", "-t", str(self._init), *spaces, "--", *words]

    def run(
        self,
        *words: str,
        world: Mapping[str, str] | None = None,
        is_checked: bool = False,
        seconds: float = RUN_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(
            self.command("env", *self._assigned(world), *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=is_checked,
        )

    def start(self, *words: str, world: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command inside, in a group of its own: killpg reaches all of it.

        What it says comes as one stream.
        """
        return subprocess.Popen(
            self.command("env", *self._assigned(world), *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def inside(self, program: str) -> list[str]:
        """What runs a program of this machine that sees the box's network and nothing more."""
        return ["nsenter", "-t", str(self._init), "-n", "--", program]

    def path(self, inside: str) -> Path:
        """A file of the box, as this process sees it; what is bound there is not seen."""
        return Path(f"/proc/{self._init}/root{inside}")

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Put a file into it."""
        file = self.path(inside)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def _assigned(self, world: Mapping[str, str] | None) -> list[str]:
        """Nothing of this process's own environment."""
        told = {"PATH": PATH, "HOME": "/root", **(world or {})}
        return ["-i", *(f"{name}={value}" for name, value in told.items())]


@contextlib.contextmanager
def systemd_box(
    folder: Path, binds: Mapping[str, str] | None = None, *, has_own_network: bool = True
) -> Iterator[Box]:
    """The box for as long as the block runs; `binds` are folders seen inside, read only.

    Without a network of its own, what listens on its loopback is reached from here.
    """
    missing = [name for name in NEEDED if not shutil.which(name)]
    assert not missing, f"this layer needs {missing} (Debian: systemd systemd-container)"
    assert os.geteuid() == 0, "this layer needs root"
    layer, root = folder / "layer", folder / "layer" / "root"
    layer.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "box", layer], check=True)
    try:
        for name in ("upper", "work", "root"):
            (layer / name).mkdir()
        options = f"lowerdir=/,upperdir={layer / 'upper'},workdir={layer / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "box", root], check=True)
        try:
            _prepare(root)
            with _booted(folder, root, binds or {}, has_own_network) as box:
                yield box
        finally:
            subprocess.run(["umount", root], check=True)
    finally:
        subprocess.run(["umount", layer], check=True)


def _prepare(root: Path) -> None:
    units = root / "etc/systemd/system"
    (units / "box.target").write_text(TARGET)
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("")
    (root / "etc/fstab").unlink(missing_ok=True)


@contextlib.contextmanager
def _booted(
    folder: Path, root: Path, binds: Mapping[str, str], has_own_network: bool
) -> Iterator[Box]:
    log = folder / "nspawn.log"
    command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}"]
    command += ["--boot", "--console=pipe", "--hostname=box"]
    command += ["--private-network"] if has_own_network else []
    ours = {str(ROOT): str(ROOT)} if ROOT.is_relative_to("/tmp") else {}  # else it has its own /tmp
    command += [f"--bind-ro={outside}:{inside}" for outside, inside in {**ours, **binds}.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--", "--unit=box.target"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        box = Box(root, _init(process, log))
        _wait_until_up(box, log)
        yield box
    finally:
        _end(process)


def _init(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """The box's own process 1, as this machine numbers it."""
    give_up_at = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < give_up_at and process.poll() is None:
        children = psutil.Process(process.pid).children()
        if children:
            return children[0].pid
        time.sleep(0.05)
    raise AssertionError(f"the box did not start: {log.read_text(errors='replace')}")


def _wait_until_up(box: Box, log: Path) -> None:
    give_up_at, state = time.monotonic() + BOOT_SECONDS, ""
    while time.monotonic() < give_up_at:
        with contextlib.suppress(OSError):
            state = box.run("systemctl", "is-system-running").stdout.strip()
            if state in UP:
                return
        time.sleep(0.1)
    raise AssertionError(f"the box did not boot, it is {state}: {log.read_text(errors='replace')}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def trial() -> str:
    """Why no box can be booted on this machine; "" where one can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with systemd_box(Path(folder) / "box"):
                return ""
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            return " ".join(str(error).split())[:300] or type(error).__name__


if __name__ == "__main__":  # a look around: python -m tests.support.systemd_box FOLDER
    if sys.argv[1] == "--try":
        problem = trial()
        print(problem)
        sys.exit(bool(problem))
    with systemd_box(Path(sys.argv[1])) as opened:
        subprocess.run(opened.command("bash", "-i"))
