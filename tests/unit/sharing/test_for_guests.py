"""What is wrong, as the owner and as guests are told it."""

import asyncio

import pytest
from starlette.requests import Request

from lib.api import models as routes
from lib.api import system
from lib.core.access import Role, acting
from lib.core.errors import BrokenFile
from lib.engines import all_engines
from lib.engines.base import Health, Model, State
from lib.sharing import for_guests
from lib.sharing.for_guests import OTHERWISE
from lib.ui import listing, services

OPEN = [
    "The file is cut short: 3 of 4 tensors are there.",
    "The engine ended (signal 9): memory was short.",
    "and/or, 3/4, 2 tok/s, n/a: no path. See Ask/Settings",
    "",
]
PRIVATE = [
    "Its file has gone: /mnt/a b/secret.gguf is not there.",
    "/etc/passwd",
    "The engine may not write to ~/models.",
    "It reads ~anna/x.",
    "It reads “/srv/x”",
    "could not open '../../x'",
    "path=/srv/x",
    "key:/srv/x",
    "(/srv/x)",
    "C:\\Users\\anna",
    "Nothing answers at http://10.0.0.7:8000.",
]


@pytest.mark.parametrize("text", OPEN)
def test_a_guest_reads_what_says_nothing_of_the_disk(text: str) -> None:
    with acting(Role.GUEST):
        assert for_guests.told(text, OTHERWISE) == text


@pytest.mark.parametrize("text", PRIVATE)
def test_a_guest_reads_no_path_and_no_address_and_the_owner_all(text: str) -> None:
    with acting(Role.GUEST):
        assert for_guests.told(text, OTHERWISE) == OTHERWISE
        assert for_guests.of_error(BrokenFile(text, "Do this.")) == OTHERWISE
    with acting(Role.OWNER):
        assert for_guests.told(text, OTHERWISE) == text


def test_the_list_of_models_has_none_for_guests_either() -> None:
    model = Model(
        name="a", engine="llamacpp", state=State.FAILED, problem="No /srv/x.", note="See /srv/y."
    )
    request = Request({"type": "http", "scheme": "http", "server": ("localhost", 80), "path": "/"})
    with acting(Role.GUEST):
        told = routes.described(model, request)
    assert (told["problem"], told["note"]) == (OTHERWISE, "")
    with acting(Role.OWNER):
        assert for_guests.of_model(model) is model


def test_no_answer_and_no_page_names_it_to_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health(up=True, version="llama.cpp b1 of your own, /usr/local/bin/llama-server")
    monkeypatch.setattr(services, "present_engines", lambda: {"llamacpp": health})
    monkeypatch.setattr(listing, "models", list)
    engine = all_engines()["llamacpp"]
    monkeypatch.setattr(engine, "health", lambda: health)
    with acting(Role.GUEST):
        assert asyncio.run(system.service(engine))["version"] == ""
        assert [row.service.version for row in services._engines()] == [""]
    with acting(Role.OWNER):
        assert asyncio.run(system.service(engine))["version"] == health.version
        assert [row.service.version for row in services._engines()] == [health.version]


def test_an_engines_version_does_not_name_the_owners_program() -> None:
    health = Health(up=True, version="llama.cpp b1 of your own, /usr/local/bin/llama-server")
    with acting(Role.GUEST):
        assert for_guests.of_health(health) == Health(up=True)
    with acting(Role.OWNER):
        assert for_guests.of_health(health) == health
