"""A GPU server in a folder: its systemd, its cards, its programs, a Hub, and deploy_model.sh there.

    with gpu_server(tmp_path, hub) as server:
        server.add_model()
        done = server.deploy()

Real bash and real processes; stand-ins for systemd (tests/support/fake_systemd.py), the driver's
library (tests/support/cards.py), the engine (tests/support/slot_engine.py), and for programs that
only root may call. Slots from 40 on, whose ports nobody else uses.
"""

import contextlib
import json
import os
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from lib.engines.vllm.places import Places, port
from lib.jobs import events
from lib.jobs.events import Event
from lib.slots.installation import MARK
from tests.conftest import ROOT
from tests.support import slot_engine
from tests.support.cards import CardWorld, card_world
from tests.support.clone import Run, bash, executable
from tests.support.deployment import on_terminal
from tests.support.fake_systemd import FakeSystemd
from tests.support.hub_api import HubApi

SCRIPT = ROOT / "deploy_model.sh"
PATTERN = "acme/Anvil-1B"
MODEL = "acme/Tiny-Instruct"
PLAIN = ("--without-gateway", "--without-nginx")
VERSION = "0.33.0"
SECONDS = 120.0
# Tests run beside each other, and a slot is a port: each worker has two of its own.
SLOT = 40 + 2 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SECOND_SLOT = SLOT + 1
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 4096,
    "vocab_size": 308,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}


def safetensors(tensors: Mapping[str, tuple[int, ...]]) -> bytes:
    """A file of 16-bit zeros in these shapes."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


WEIGHTS = safetensors(
    {"model.embed_tokens.weight": (308, 64)}
    | {f"model.layers.{n}.mlp.up_proj.weight": (128, 64) for n in range(2)}
)


class GpuServer:
    """The folder and what is in it."""

    def __init__(self, folder: Path, hub: HubApi, world: CardWorld) -> None:
        self.systemd, self.hub, self.cards = FakeSystemd(folder), hub, world
        self.root = self.systemd.root
        self.places = Places(root=self.root)
        self.bin = folder / "bin"
        self.home = folder / "berth"
        self.told = folder / "job" / "events.jsonl"
        self.told.parent.mkdir()
        (self.root / "run/systemd/system").mkdir(parents=True)
        # The real one waits 15 s, which is longer than anybody takes to notice an end.
        (self.systemd.folder / "restart_seconds").write_text("3")
        self.behaviour = folder / "behaviour"
        self.behaviour.mkdir()
        for name in ("useradd", "userdel"):
            self.command(name, f'echo "{name} $*" >> {shlex.quote(str(folder / "accounts"))}')
        self.command("systemd-analyze", "exit 0")
        self.install_vllm()

    def install_vllm(self, version: str = VERSION) -> Path:
        """A program that takes the place of vLLM, there as if Berth had installed it."""
        program = self.root / f"opt/berth/vllm-{version}"
        engine = shlex.quote(slot_engine.__file__)
        executable(program / "bin/vllm", f'exec {sys.executable} -I {engine} "$@"')
        executable(program / "bin/python", f'exec {sys.executable} "$@"')
        (program / f"lib/python3.11/site-packages/vllm-{version}.dist-info").mkdir(parents=True)
        (program / MARK).touch()
        return program

    def add_model(self, name: str = MODEL, behaviour: Mapping[str, object] | None = None) -> None:
        """A repository that the Hub has; how its engine behaves lies in its folder."""
        self.hub.copy_repository(PATTERN, name, siblings=[])
        files = {
            "config.json": json.dumps(CONFIG).encode(),
            "tokenizer.json": b"{}",
            "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
            "model.safetensors": WEIGHTS,
        }
        for file, data in files.items():
            self.hub.add_file(name, file, data)
        if behaviour is not None:
            self.behave(name, behaviour)

    def behave(self, name: str, behaviour: Mapping[str, object]) -> None:
        """From its next start on the model's engine does this."""
        folder = self.places.model(name, self.hub.repositories[name]["sha"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "behaviour.json").write_text(json.dumps(behaviour))

    def command(self, name: str, script: str) -> Path:
        """Put a small shell command on the PATH."""
        return executable(self.bin / name, script)

    def world(self, **more: str) -> dict[str, str]:
        """The environment of the script."""
        kept = {name: value for name, value in os.environ.items() if name != "BERTH_EVENTS"}
        ours = {
            **kept,
            **self.systemd.world(),
            **self.cards.environment,
            "BERTH_HOME": str(self.home),
            "HF_ENDPOINT": self.hub.url,
            "BERTH_EVENTS": str(self.told),
            "BERTH_PAUSE_SECONDS": "0.1",
        }
        return {**ours, "PATH": f"{self.bin}:{ours['PATH']}", **more}

    def run(self, *arguments: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Run the script to its end, without a terminal."""
        return subprocess.run(
            [bash(), str(SCRIPT), *arguments],
            cwd=ROOT,
            env=self.world(**world),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def call(self, lines: str, **world: str) -> subprocess.CompletedProcess[str]:
        """Source it for its functions, then run these lines."""
        return subprocess.run(
            [bash(), "-c", f'TESTING=1; source "{SCRIPT}"\n{lines}'],
            cwd=ROOT,
            env=self.world(**world),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    @property
    def card(self) -> str:
        """The UUID of its first card."""
        found: str = self.cards.answers["cards"][0]["nvmlDeviceGetUUID"]
        return found

    def deploy(
        self, model: str = MODEL, slot: int = SLOT, *more: str, **world: str
    ) -> subprocess.CompletedProcess[str]:
        """Deploy on its first card, with nothing in front of the engine."""
        return self.run(model, str(slot), "--cards", self.card, *PLAIN, *more, **world)

    def unit(self, slot: int = SLOT) -> str:
        """The text of the slot's service."""
        return self.places.unit(slot).read_text(encoding="utf-8")

    def runs(self, slot: int = SLOT) -> str:
        """The model that the slot's engine says it has; "" where none answers."""
        key = self.places.env_file(slot).read_text(encoding="utf-8").strip().partition("=")[2]
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{port(slot)}/v1/models",
                headers={"Authorization": f"Bearer {key}"},
            )
        except httpx.TransportError:
            return ""
        name: str = answer.json()["data"][0]["id"]
        return name

    def start(self, *arguments: str, **world: str) -> Run:
        """Start it and leave it running, in a group of its own."""
        return Run([bash(), str(SCRIPT), *arguments], self.world(**world))

    def on_terminal(self, arguments: Sequence[str], typed: str) -> tuple[int, str]:
        """Run it on a real terminal, where this is typed; the exit code and what was shown."""
        return on_terminal([bash(), str(SCRIPT), *arguments], typed, self.world())

    def events(self) -> list[Event]:
        """What it told of itself."""
        return events.read(self.told)

    def snapshot(self) -> dict[str, str]:
        """Every file below /etc by its name, with what it holds."""
        folder = self.root / "etc"
        return {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@contextlib.contextmanager
def gpu_server(folder: Path, hub: HubApi, world: str = "one-card") -> Iterator[GpuServer]:
    """The server for as long as the block runs."""
    with card_world(world) as cards:
        server = GpuServer(folder, hub, cards)
        try:
            yield server
        finally:
            server.systemd.end()
