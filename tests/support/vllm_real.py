"""A slot whose service is a real vLLM with a tiny model of random weights."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from lib.engines.base import Model, StartOptions
from lib.engines.vllm import ENGINE
from lib.engines.vllm.places import port, unit_name
from tests.support import cached_programs
from tests.support.vllm_slots import KEY, Box, give_back

CONTEXT = 512
WORLD = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_MAX_N_SEQUENCES": "16",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DISABLE_LOG_LOGO": "1",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
}
MANNERS = [
    "--dtype",
    "float32",
    "--enforce-eager",
    "--max-num-seqs",
    "4",
    "--shutdown-timeout",
    "30",
    "--disable-fastapi-docs",
    "--disable-access-log-for-endpoints",
    "/health,/metrics",
    "--sse-keep-alive-interval",
    "15",
    "--fingerprint-mode",
    "none",
]


class Real:
    """The machine with its one slot."""

    def __init__(self, box: Box, slot: int) -> None:
        self.box, self.slot = box, slot
        self.notes: list[str] = []

    @property
    def unit(self) -> str:
        """Its service."""
        return unit_name(self.slot)

    @property
    def url(self) -> str:
        """The engine's address, without /v1."""
        return f"http://127.0.0.1:{port(self.slot)}"

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self.box.systemd.log(self.unit)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this process see the machine."""
        self.box.systemd.use(monkeypatch)

    def model(self) -> Model:
        """Its model as the engine tells it now."""
        [model] = ENGINE.models()
        return model

    def start(self, name: str, options: StartOptions) -> list[str]:
        """Start it; what was said of it meanwhile, in order and once each."""
        notes: list[str] = []
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.2):
                for note in (model.note for model in ENGINE.models()):
                    notes.extend([note] if note and note not in notes else [])

        looking = threading.Thread(target=look)
        looking.start()
        try:
            ENGINE.start(name, options)
        finally:
            done.set()
            looking.join()
        return notes

    def rewrite(self, extra: Sequence[str]) -> None:
        """The same service with these arguments at the end, where they win."""
        write(self.box, self.slot, cached_programs.tiny_model("first"), extra)

    def core(self) -> psutil.Process:
        """The process that computes, which vLLM runs beside its server."""
        children = psutil.Process(self.box.pid(self.slot)).children(recursive=True)
        return next(child for child in children if "EngineCore" in child.name())


@contextlib.contextmanager
def real_slot(folder: Path, *extra: str, context: str = str(CONTEXT)) -> Iterator[Real]:
    """A slot with a real vLLM that does not run yet; `extra` are arguments of its own."""
    box = Box(folder)
    slot = box.slot(Vllm="0.32.0")
    write(box, slot, cached_programs.tiny_model("first"), [*extra, "--max-model-len", context])
    try:
        yield Real(box, slot)
    finally:
        box.systemd.end()
        give_back()


def write(box: Box, slot: int, model: Path, extra: Sequence[str]) -> None:
    """The service of a slot, with the real program."""
    program = cached_programs.vllm_cpu() / "bin/vllm"
    command = [str(program), "serve", str(model), "--served-model-name", "tiny"]
    command += ["--host", "127.0.0.1", "--port", str(port(slot)), *MANNERS, *extra]
    cache = box.places.cache(slot)
    cache.mkdir(parents=True, exist_ok=True)
    world = {**WORLD, "HOME": str(cache), "XDG_CACHE_HOME": str(cache), "VLLM_API_KEY": KEY}
    mark = {"Slot": str(slot), "Model": "org/tiny", "Revision": "main", "ServedName": "tiny"}
    mark |= {"Context": "auto", "Vllm": "0.32.0"}
    box.systemd.write(unit_name(slot), command, mark, world)
