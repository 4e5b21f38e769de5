"""Slots with a fake vLLM as their service, in a fake systemd; each on a port that nobody has."""

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from lib.core import locks
from lib.engines.vllm import systemd, watch
from lib.engines.vllm.places import FIRST_PORT, MOST_SLOTS, Places, unit_name
from tests.conftest import ROOT
from tests.support.fake_server import Running
from tests.support.fake_systemd import FakeSystemd

KEY = "key-of-the-slot"
CONFIG = {"model_type": "qwen2", "max_position_embeddings": 32_768, "torch_dtype": "bfloat16"}


class Box:
    """A machine with slots."""

    def __init__(self, folder: Path) -> None:
        self.systemd = FakeSystemd(folder)
        self.places = Places(root=self.systemd.root)
        (self.systemd.folder / "burst").write_text("2")

    def slot(self, *options: str, name: str = "tiny", slot: int | None = None, **mark: str) -> int:
        """Write the service of a free slot, with what it needs, and return its number."""
        slot = free_slot() if slot is None else slot
        unit = unit_name(slot)
        env_file = self.places.env_file(slot)
        env_file.parent.mkdir(parents=True, exist_ok=True)
        env_file.write_text(f"VLLM_API_KEY={KEY}\n")
        told = {
            "Slot": str(slot),
            "Model": f"org/{name}",
            "Revision": "main",
            "ServedName": name,
            "Cards": "GPU-aa",
            "Context": "auto",
            "Vllm": "0.33.0",
            **mark,
        }
        port = str(FIRST_PORT + slot)
        command = [sys.executable, "-m", "tests.support.fake_vllm", "--talks", "--port", port]
        command += ["--served-model-name", told["ServedName"], *options]
        world = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        path = self.systemd.write(unit, command, told, world)
        text = path.read_text().replace("[X-Berth]", f"EnvironmentFile={env_file}\n\n[X-Berth]")
        path.write_text(text)
        self.model(f"org/{name}")
        return slot

    def model(self, repo: str, **config: Any) -> Path:
        """The files of a model."""
        folder = self.places.model(repo, "main")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
        (folder / "chat_template.jinja").write_text("{{ messages }}")
        (folder / "model.safetensors").write_bytes(b"\0" * 1_000)
        return folder

    def fake(self, slot: int) -> "Fake":
        """The engine of a slot that runs, to be ordered about and asked what it was asked."""
        return Fake(f"http://127.0.0.1:{FIRST_PORT + slot}")

    def pid(self, slot: int) -> int:
        """The engine's process."""
        return int(self.systemd.state(unit_name(slot))["MainPID"])


class Fake(Running):
    """A fake that is a service: systemd has its process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def questions(self) -> int:
        """How often it was asked for something, also where it never answered."""
        return int(httpx.get(f"{self.url}/fake/questions").json())


_held: list[int] = []  # open files whose locks say that a slot is ours


def free_slot() -> int:
    """A slot whose port nobody has, also no other run of tests; from the end, where no real is."""
    for slot in reversed(range(MOST_SLOTS)):
        lock = Path(tempfile.gettempdir()) / f"berth-test-slot-{slot}.lock"
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if locks.take(handle, lock) and _is_free(FIRST_PORT + slot):
            _held.append(handle)
            return slot
        os.close(handle)
    raise AssertionError("Every port of a slot is taken.")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def give_back() -> None:
    """Others may have the slots that were found free here."""
    while _held:
        os.close(_held.pop())


def boxed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A machine for one test; what runs on it is stopped at the end."""
    box = Box(folder)
    box.systemd.use(monkeypatch)
    monkeypatch.setattr(systemd, "_journal_refused", [])
    yield box
    box.systemd.refuse(is_refusing=False)
    box.systemd.end()
    give_back()
    for thread in threading.enumerate():
        if thread.name == watch.THREAD:
            thread.join(5)  # or it would look with the eyes of the next test


def wait_until_up(box: Box, slot: int) -> None:
    """Return when the slot's engine listens."""
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            httpx.get(f"http://127.0.0.1:{FIRST_PORT + slot}/health")
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError(box.systemd.log(unit_name(slot)))
