"""The machine itself: Linux with systemd, root's rights, a compiler and Python's headers."""

import os
import platform
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.core.errors import BerthError, EngineError
from lib.core.settings import settings
from lib.engines.vllm.places import Places
from lib.machine.card_troubles import is_wsl
from lib.processes.command import run

STEPS_OF_ROOT = "unload, download, service, gateway, start, test"
_HEADER_QUESTION = "import sysconfig; print(sysconfig.get_paths()['include'])"
_ASK_SECONDS = 10.0


def linux(system: str = "") -> Iterator[BerthError]:
    """vLLM's builds for NVIDIA cards exist for nothing else."""
    name = system or platform.system()
    if name != "Linux":
        yield EngineError(
            f"vLLM with NVIDIA cards needs Linux, and this is {name}.",
            "Run this on the server; for this machine's processor there is ./deploy_cpu.sh.",
        )


def systemd(places: Places) -> Iterator[BerthError]:
    """Is it process 1? As sd_booted(3) asks."""
    if (places.root / "run/systemd/system").is_dir():
        return
    fix = "Run this on the server itself, not in a container."
    if is_wsl():
        fix = "In WSL: write systemd=true under [boot] in /etc/wsl.conf, then run wsl --shutdown."
    yield EngineError("systemd does not run this machine, so no service can be made.", fix)


def rights(places: Places, script: Sequence[str]) -> Iterator[BerthError]:
    """Root, or a sudo that does not ask; `script` is the command to be given to it otherwise."""
    if os.geteuid() == 0 or places.root != Path("/") or run(["sudo", "-n", "true"]).is_good:
        return
    home = f"BERTH_HOME={settings().home}"
    yield EngineError(
        f"These steps need root's rights, which this account does not have: {STEPS_OF_ROOT}.",
        f"Run: {shlex.join(['sudo', home, *script])}",
    )


def compiler(python: str = "") -> Iterator[BerthError]:
    """vLLM compiles small programs at every first start; `python` is the one that will run it."""
    missing = [] if shutil.which("gcc") or shutil.which("cc") else ["gcc"]
    if not _has_headers(python or "python3"):
        missing.append("Python.h")
    if missing:
        names = " and ".join(missing)
        yield EngineError(
            f"{names} missing, which vLLM needs when it starts.".replace(
                " missing", " are missing" if len(missing) > 1 else " is missing"
            ),
            install_line(missing),
        )


def install_line(missing: Sequence[str]) -> str:
    """The one line that installs what is missing."""
    by_apt = {"gcc": "build-essential", "Python.h": "python3-dev"}
    by_dnf = {"gcc": "gcc", "Python.h": "python3-devel"}
    if shutil.which("apt-get"):
        return f"Run: sudo apt-get install {' '.join(by_apt[name] for name in missing)}"
    if shutil.which("dnf"):
        return f"Run: sudo dnf install {' '.join(by_dnf[name] for name in missing)}"
    return "Install a C compiler and Python's development files with the system's package manager."


def _has_headers(python: str) -> bool:
    done = run([python, "-I", "-c", _HEADER_QUESTION], seconds=_ASK_SECONDS)
    return done.is_good and (Path(done.stdout.strip()) / "Python.h").is_file()


def in_words(is_wsl_machine: bool, unified: Sequence[str]) -> Iterator[str]:
    """What is worth knowing of this machine though it stands in nobody's way."""
    if is_wsl_machine:
        yield (
            "This is WSL: vLLM works without pinned memory here, so loading takes longer, and "
            "other programs' use of the card is not told."
        )
    for name in unified:
        yield (
            f"{name} shares the machine's memory, so at most three quarters of it go to the model: "
            "the system needs the rest."
        )
