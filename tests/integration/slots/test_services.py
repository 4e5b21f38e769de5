"""The services of the GPU side as the System page tells of them, and what guests see."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.base import StartOptions, State
from lib.engines.vllm import ENGINE, systemd, watch
from lib.machine.cards import Cards
from lib.slots import services as module
from lib.slots.gateway import files
from lib.slots.gateway.litellm import UNITS
from lib.slots.services import Service, services
from lib.ui import services as view
from tests.integration.ui.test_vllm_pages import buttons, opened
from tests.support.deploy_page import said
from tests.support.vllm_slots import Box, boxed
from tests.support.waiting import until

ANSWERING = """
import http.server, sys
class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"fine")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Well).serve_forever()
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.1)
    yield from boxed(tmp_path, monkeypatch)


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where LiteLLM and nginx would answer, so that no real ones are asked."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    monkeypatch.setattr(module, "PORTS", (port, port))
    return port


def named(box: Box, title: str) -> Service:
    [found] = [one for one in services(Cards(), box.places) if one.title == title]
    return found


def lay_litellm(box: Box, port: int) -> None:
    """Its service, which answers once it is started."""
    program = box.systemd.folder / "answering.py"
    program.write_text(ANSWERING)
    command = [sys.executable, str(program), str(port)]
    mark = {"For": "gateway", "LiteLLM": "1.110.2"}
    box.systemd.write(UNITS[False], command, mark)


def test_a_machine_without_any_has_none(box: Box) -> None:
    assert services(Cards(), box.places) == []


def test_a_slot_has_its_version_its_state_and_why_not(box: Box) -> None:
    slot = box.slot()
    found = named(box, f"Slot {slot}")
    assert (found.version, found.about, found.state) == ("vLLM 0.33.0", "tiny", State.STOPPED)
    ENGINE.start("tiny", StartOptions())
    assert named(box, f"Slot {slot}").state == State.READY


def test_a_service_that_cannot_be_understood_says_so(box: Box) -> None:
    slot = box.slot(Slot="999")
    found = named(box, f"berth-slot-{slot}")
    assert found.state == State.FAILED
    assert found.problem


def test_litellm_runs_or_says_how_it_is_started(box: Box, free_port: int) -> None:
    lay_litellm(box, free_port)
    down = named(box, "LiteLLM")
    assert (down.state, down.version) == (State.STOPPED, "1.110.2")
    assert down.problem == "Start it: sudo systemctl start berth-litellm.service"
    systemd.start(UNITS[False])
    until(lambda: named(box, "LiteLLM").state == State.READY)
    assert named(box, "LiteLLM").problem == ""


def test_litellm_that_does_not_answer_is_starting_and_names_its_log(
    box: Box, free_port: int
) -> None:
    box.systemd.write(UNITS[False], ["sleep", "60"], {"For": "gateway"})
    systemd.start(UNITS[False])
    found = named(box, "LiteLLM")
    assert found.state == State.STARTING
    assert "journalctl -u berth-litellm.service" in found.problem


def test_nginx_is_asked_where_berths_file_has_it_listen(box: Box, free_port: int) -> None:
    config = files.nginx_config(box.places)
    config.parent.mkdir(parents=True)
    config.write_text(f"server {{\n  listen 127.0.0.1:{free_port};\n}}\n")
    down = named(box, "nginx")
    assert down.state == State.FAILED
    assert "journalctl -u nginx" in down.problem
    lay_litellm(box, free_port)  # somebody who answers there
    systemd.start(UNITS[False])
    until(lambda: named(box, "nginx").state == State.READY)


def test_the_system_page_shows_them_to_the_owner_alone(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(view, "PATIENCE_SECONDS", 30.0)
    assert "Slot" not in said(opened("pages/4_System.py"))
    slot = box.slot()
    page = opened("pages/4_System.py")
    assert f"**Slot {slot}**" in said(page)
    assert "vLLM 0.33.0 · tiny" in said(page)
    guest = opened("pages/4_System.py", {"role": "guest", "who": "guest-1"})
    assert "**Built-in engine**" in said(guest)
    assert "Slot" not in said(guest)


def test_what_runs_says_since_when(box: Box, free_port: int) -> None:
    slot, before = box.slot(), time.time()
    ENGINE.start("tiny", StartOptions())
    lay_litellm(box, free_port)
    systemd.start(UNITS[False])
    until(lambda: named(box, "LiteLLM").state == State.READY)
    for title in (f"Slot {slot}", "LiteLLM"):
        since = named(box, title).since
        assert since is not None and before - 2 <= since <= time.time() + 2


def test_a_slots_model_is_restarted_from_its_details(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    before = box.pid(slot)
    page = opened("pages/2_Models.py")
    page.button(key="more-vllm-tiny").click().run()
    assert "restart-vllm-tiny" in buttons(page)
    page.button(key="restart-vllm-tiny").click().run()
    assert not page.exception
    until(lambda: box.pid(slot) not in (0, before) and ENGINE.models()[0].state == State.READY)
