"""What /api/system tells of graphics cards, to the owner and to guests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lib.api import system
from lib.core.access import Role, acting
from lib.machine import processor
from tests.support.cards import CardWorld, card_world, living_in
from tests.support.engines import register
from tests.support.fake_engine import running_fake
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

GIB = 2**30


@pytest.fixture(scope="module")
def world() -> Iterator[CardWorld]:
    with card_world("two-cards") as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, world: CardWorld) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth"), world.environment) as running:
        yield running


def told(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/api/system").json()["cards"]
    return found


def test_the_cards_are_told_with_their_driver(server: Server) -> None:
    cards = told(server)
    assert (cards["driver"], cards["cuda"], cards["problem"]) == ("580.95.05", [13, 0], "")
    first, second = cards["cards"]
    assert (first["name"], second["name"]) == ("NVIDIA A100 80GB PCIe", "NVIDIA GeForce RTX 3060")
    assert first["total_bytes"] == 80 * GIB
    assert first["capability"] == [8, 0]


def test_what_changes_on_a_card_is_told_while_the_server_runs(
    server: Server, world: CardWorld
) -> None:
    world.card(1, nvmlDeviceGetUtilizationRates={"gpu": 77, "memory": 1})
    until(lambda: told(server)["cards"][1]["utilization_percent"] == 77)


def test_processes_are_told_by_model_or_by_name(server: Server, world: CardWorld) -> None:
    me = psutil.Process()
    write_tiny(server.home / "models" / "fake.gguf")
    with running_fake() as fake:
        register(server.home, fake)
        world.runs(0, [(fake.process.pid, 3 * GIB), (me.pid, GIB)])
        until(lambda: len(told(server)["cards"][0]["processes"]) == 2)
        found = {process["pid"]: process for process in told(server)["cards"][0]["processes"]}
    assert found[fake.process.pid]["model"] == "fake"
    assert (found[me.pid]["model"], found[me.pid]["name"]) == ("", me.name())
    assert found[me.pid]["memory_bytes"] == GIB


def test_a_card_that_is_lost_while_the_server_runs_is_told_with_what_to_do(
    server: Server, world: CardWorld
) -> None:
    world.fail("nvmlDeviceGetHandleByIndex", "GPU_IS_LOST", index=1)
    until(lambda: told(server)["cards"][1]["problem"])
    first, second = told(server)["cards"]
    assert first["problem"] == ""
    assert second["name"] == "NVIDIA GeForce RTX 3060"
    assert second["fix"]
    assert (server.home / "server.log").read_text() == "" or "Traceback" not in server.output


def test_a_driver_that_hangs_keeps_nobody_waiting(server: Server, world: CardWorld) -> None:
    world.card(0, nvmlDeviceGetName={"hangs": True})
    try:
        until(lambda: "has not answered" in told(server)["problem"])
        now = httpx.get(f"{server.url}/api/system").json()["now"]["at"]
        until(lambda: httpx.get(f"{server.url}/api/system").json()["now"]["at"] > now)
        assert httpx.get(f"{server.url}/api/health").json()["ok"] is True
    finally:
        world.card(0, nvmlDeviceGetName="NVIDIA A100 80GB PCIe")
    until(lambda: not told(server)["problem"])


@pytest.mark.parametrize("name", ["mismatch", "no-driver"])
def test_a_machine_without_cards_that_can_be_asked_still_tells_the_rest(
    name: str, tmp_path: Path
) -> None:
    with card_world(name) as there, running_server(tmp_path, there.environment) as running:
        answer = httpx.get(f"{running.url}/api/system").json()
    assert answer["machine"]["threads"] >= 1
    assert answer["cards"]["cards"] == []
    assert bool(answer["cards"]["problem"]) == (name == "mismatch")


def test_guests_see_cards_and_not_who_uses_them() -> None:
    with living_in("one-card") as there:
        there.runs(0, [(psutil.Process().pid, GIB)])
        with acting(Role.GUEST):
            [card] = system._system().cards.cards
        assert card.processes == ()
        assert card.used_bytes
        with acting(Role.OWNER):
            [card] = system._system().cards.cards
        assert len(card.processes) == 1


def test_the_machine_is_told_with_its_disks_and_interfaces(server: Server) -> None:
    answer = httpx.get(f"{server.url}/api/system").json()
    assert answer["machine"]["instructions"] == list(processor.instructions())
    assert answer["swap_bytes"] >= (answer["now"]["swap_used_bytes"] or 0)
    until(lambda: httpx.get(f"{server.url}/api/system").json()["disks"])
    [disk] = [d for d in httpx.get(f"{server.url}/api/system").json()["disks"] if d["holds"]]
    assert disk["holds"] == ["models", "Berth's records"]
    assert all(one["addresses"] for one in answer["interfaces"])


def test_guests_learn_neither_disks_nor_addresses() -> None:
    with acting(Role.GUEST):
        told = system._system()
    assert (told.disks, told.interfaces) == ((), ())


def test_the_answer_is_described(server: Server) -> None:
    described = httpx.get(f"{server.url}/api/openapi.json").json()
    operation = described["paths"]["/api/system"]["get"]
    assert "graphics cards" in operation["summary"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    answer = httpx.get(f"{server.url}/api/system").json()
    parts = described["components"]["schemas"]
    assert schema == {"$ref": "#/components/schemas/System"}
    assert set(parts["System"]["properties"]) == set(answer)
    assert set(parts["Sample"]["properties"]) == set(answer["now"])
    assert set(parts["KnownCard"]["properties"]) == set(answer["cards"]["cards"][0])
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in parts


def references(part: Any) -> Iterator[str]:
    """Every place that a description points at."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
