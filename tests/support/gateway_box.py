"""A machine with a real LiteLLM and a real nginx before fake engines on slots 50 and 51."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import ROOT
from tests.support import cached_programs
from tests.support.slot_box import binds, give
from tests.support.systemd_box import Box, systemd_box
from tests.support.waiting import until

FRONT = "http://127.0.0.1:8100"
SLOT_PORTS = {50: 8154, 51: 8155}
PROGRAM = "/opt/berth/litellm-1.110.2"
USER = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", "berth")


class GatewayBox:
    """The machine, and what its tests ask of it."""

    def __init__(self, box: Box) -> None:
        self.path, self.write, self._box = box.path, box.write, box
        self._served: dict[int, str] | None = None  # None: something may have changed since

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A program in it, run to its end; its / is the machine's own."""
        done = self._box.run("--unset=BERTH_SYSTEM_ROOT", *command)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done

    def engine(self, slot: int, name: str) -> "GatewayBox":
        """A fake engine as the slot's service, running."""
        self._served = None
        command = f"{sys.executable} -m tests.support.fake_engine --port {SLOT_PORTS[slot]}"
        lines = [
            "[Service]",
            f"WorkingDirectory={ROOT}",
            f"ExecStart={command} --model {name} --key {self.key(slot)} --tokens 20",
            "[X-Berth]",
            *(f"Slot={slot}", f"Model=acme/{name}", "Revision=main", f"ServedName={name}"),
        ]
        self.write(f"/etc/systemd/system/{self.unit(slot)}", "\n".join([*lines, ""]))
        self.write(f"/etc/berth/slot-{slot}.env", f"VLLM_API_KEY={self.key(slot)}\n", 0o600)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "restart", self.unit(slot))
        until(lambda: self.answers(slot), f"the start of slot {slot}")
        return self

    def serve(self, slots: dict[int, str]) -> "GatewayBox":
        """Have exactly these models behind the gateway, nothing of before still ending."""
        if self._served == slots:
            return self
        for slot in SLOT_PORTS:
            path = self.path(f"/etc/systemd/system/{self.unit(slot)}")
            if slot not in slots and path.exists():
                self.run("systemctl", "stop", self.unit(slot))
                path.unlink()
                self.run("systemctl", "daemon-reload")
            elif slot in slots:
                self.engine(slot, slots[slot])
        self.steps("open")
        self.settle()
        self._served = slots
        return self

    def settle(self) -> None:
        """End what was replaced, and see it gone."""
        self.steps("settle")
        idle = self.services()[not self.is_second()]
        until(lambda: self.state(idle) in ("inactive", "failed"), f"the end of {idle}")

    def is_second(self) -> bool:
        """Does nginx lead to the second LiteLLM?"""
        return "server 127.0.0.1:4001;" in self.text("/etc/nginx/conf.d/berth.conf")

    def services(self) -> tuple[str, str]:
        """Both services of LiteLLM."""
        return "berth-litellm.service", "berth-litellm-second.service"

    def text(self, name: str) -> str:
        """What stands in a file of the machine; "" where it is not there."""
        path = self.path(name)
        return path.read_text() if path.exists() else ""

    def key(self, slot: int) -> str:
        """The engine's key."""
        return f"key-of-the-engine-on-slot-{slot}"

    def unit(self, slot: int) -> str:
        """The name of its service."""
        return f"berth-slot-{slot}.service"

    def answers(self, slot: int) -> bool:
        """Does its engine answer?"""
        try:
            return httpx.get(f"http://127.0.0.1:{SLOT_PORTS[slot]}/health").is_success
        except httpx.HTTPError:
            return False

    def behave(self, slot: int, **changes: object) -> None:
        """Change how the fake engine behaves while it runs."""
        url = f"http://127.0.0.1:{SLOT_PORTS[slot]}/fake/behaviour"
        httpx.post(url, json=changes).raise_for_status()

    def ended(self, slot: int) -> list[str]:
        """How each call of the engine ended so far, but for LiteLLM's own questions."""
        calls = httpx.get(f"http://127.0.0.1:{SLOT_PORTS[slot]}/fake/record").json()
        return [call["ended"] for call in calls if call["body"].get("max_tokens") != 1]

    def steps(self, *what: str, check: bool = True) -> str:
        """A part of a deployment; what it said."""
        self._served = None
        script = 'cd "$0" && exec "$@"'
        command = (sys.executable, "-m", "tests.support.gateway_steps", *what)
        done = self.run("sh", "-c", script, str(ROOT), *command, check=check)
        return done.stdout + done.stderr

    def master_key(self) -> str:
        """What clients send."""
        text = self.text("/etc/berth/litellm.env")
        return text.partition("LITELLM_MASTER_KEY=")[2].split()[0]

    def headers(self) -> dict[str, str]:
        """Of a client of LiteLLM."""
        return {"Authorization": f"Bearer {self.master_key()}"}

    def ask(self, model: str, **more: object) -> httpx.Response:
        """One whole answer through nginx and LiteLLM."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
        url = f"{FRONT}/v1/chat/completions"
        return httpx.post(url, json=body, headers=self.headers(), timeout=60)

    @contextmanager
    def stream(self, model: str, way: str = "", **more: object) -> Iterator[Iterator[str]]:
        """The lines of a streamed answer while it comes: through LiteLLM, or `way` to a slot."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
        key = self.key(int(way.partition("-")[2])) if way else self.master_key()
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{FRONT}{way}/v1/chat/completions"
        asked = httpx.stream(
            "POST", url, timeout=120, json={**body, "stream": True}, headers=headers
        )
        with asked as answer:
            assert answer.status_code == 200, answer.read()
            yield answer.iter_lines()

    def state(self, unit: str) -> str:
        """As systemd has it: active, inactive, …"""
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip()


def words(lines: Iterator[str]) -> Iterator[str]:
    """The pieces of text of a stream; the last is [DONE] where it ended as it should."""
    for line in lines:
        if not line.startswith("data: "):
            continue
        if line == "data: [DONE]":
            yield "[DONE]"
            return
        for choice in json.loads(line.removeprefix("data: "))["choices"]:
            if text := choice["delta"].get("content"):
                yield text.strip()


@contextmanager
def gateway_box(folder: Path) -> Iterator[GatewayBox]:
    """Booted, LiteLLM's program and nginx in it, no slot yet."""
    programs = {PROGRAM: cached_programs.litellm()}
    with systemd_box(folder, binds(programs), has_own_network=False) as booted:
        give(booted, PROGRAM, programs[PROGRAM])
        machine = GatewayBox(booted)
        machine.run(*USER, check=False)  # the machine itself may have it
        machine.run("rm", "-f", "/etc/nginx/sites-enabled/default")
        machine.run("systemctl", "start", "nginx")
        yield machine
