"""What /api/health says of an engine that is well, down, or hangs."""

import asyncio
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from lib.api import system
from lib.engines.base import Engine, Health


class Patient:
    """An engine that has nothing but a health, told when `told` is set."""

    name, title = "patient", "Patient"

    def __init__(self, health: Health, told: threading.Event) -> None:
        self._health, self._told = health, told

    def health(self) -> Health:
        self._told.wait(30)
        return self._health


@pytest.fixture
def told() -> Iterator[threading.Event]:
    """Set at the end in any case, so that no thread waits on."""
    event = threading.Event()
    yield event
    event.set()


def asked(patient: Patient, told: threading.Event) -> dict[str, object]:
    async def ask() -> dict[str, object]:
        service = await system.service(cast("Engine", patient))
        told.set()  # before the loop waits for its threads
        return service

    return asyncio.run(ask())


def test_an_engine_that_is_up_is_told_with_its_version(told: threading.Event) -> None:
    told.set()
    service = asked(Patient(Health(up=True, version="1.2"), told), told)
    assert service["name"] == "patient"
    assert service["title"] == "Patient"
    assert service["up"] is True
    assert service["version"] == "1.2"


def test_an_engine_that_is_down_is_told_with_the_way_out(told: threading.Event) -> None:
    told.set()
    down = Health(up=False, problem="Nothing answers.", fix="Start it.")
    service = asked(Patient(down, told), told)
    assert (service["up"], service["fix"]) == (False, "Start it.")


def test_an_engine_that_hangs_is_down_and_holds_nobody_up(told: threading.Event) -> None:
    service = asked(Patient(Health(up=True), told), told)
    assert service["up"] is False
    assert "No answer within" in str(service["problem"])
