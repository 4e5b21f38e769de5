"""What the trials share: clients in folders of their own, a Berth, and somebody's home folder."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.core import access
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE
from tests.conftest import ROOT
from tests.support.berth import lay_starter, running_berth
from tests.support.engines import register
from tests.support.fake_server import running
from tests.support.server import Server

CACHE = Path(os.environ.get("BERTH_CLIENTS_CACHE") or tempfile.gettempdir()) / "berth-clients"
STARTER = "qwen2.5-coder-0.5b-instruct-q4_k_m"
CALLER = "caller"
MOST_SECONDS = 120


def npm(name: str, *packages: str) -> Path:
    """These packages of npm in a folder of this name, and the folder of their programs."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    world = {**os.environ, "HOME": str(CACHE)}
    command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
    subprocess.run(command, cwd=folder, env=world, check=True)
    return folder / "node_modules" / ".bin"


def venv(name: str, *packages: str) -> Path:
    """These packages of PyPI in an environment of this name, and the folder of its programs."""
    folder = CACHE / name
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(folder / "bin" / "pip"), "install", "--quiet", *packages]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return folder / "bin"


@contextlib.contextmanager
def berth(context: int) -> Iterator[Server]:
    """A server with the starter model in the built-in engine, and one that calls tools."""
    access.own_process()
    with tempfile.TemporaryDirectory(prefix="berth-clients-") as place:
        home = Path(place) / "berth"
        os.environ["BERTH_HOME"] = str(home)
        with running("tests.clients.calling_engine") as caller, running_berth(home) as server:
            register(home, caller, CALLER)
            lay_starter(home, ROOT / "tests" / ".cache" / "starter.gguf")
            ENGINE.start(STARTER, StartOptions(context=context))
            yield server


@contextlib.contextmanager
def person() -> Iterator[Path]:
    """A home folder, which is everybody's who is asked for one."""
    folder = Path(tempfile.mkdtemp(prefix="person-", dir=CACHE))
    before = os.environ["HOME"]
    os.environ["HOME"] = str(folder)
    try:
        (folder / "work").mkdir()
        yield folder
    finally:
        os.environ["HOME"] = before
        shutil.rmtree(folder, ignore_errors=True)


def run(command: Sequence[str], programs: Path, home: Path, **more: str) -> str:
    """What a client prints, run by this person in the folder `work`, in no other environment."""
    world = {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "HOME": str(home), **more}
    try:
        done = subprocess.run(
            command,
            cwd=home / "work",
            env={"LANG": "C.UTF-8", **world},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"[nothing within {MOST_SECONDS} s]"
    return f"{done.stdout.strip()}\n[exit code {done.returncode}]"
