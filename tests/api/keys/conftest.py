"""A Berth that is shared, with two models that run, and programs on other machines."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import WELL
from tests.support.guests import shared_server
from tests.support.server import Server
from tests.support.tiny_gguf import write_tiny

Program = Callable[..., httpx.Client]


class Shared(NamedTuple):
    """The server, the address at which other machines reach it, and the model called other."""

    server: Server
    url: str
    other: Running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("berth")
    write_tiny(home / "models" / "asleep.gguf")
    with running_fake() as other, shared_server(home) as (server, url):
        register(home, other, "other")
        yield Shared(server, url, other)


@pytest.fixture
def server(shared: Shared) -> Server:
    return shared.server


@pytest.fixture
def url(shared: Shared) -> str:
    return shared.url


@pytest.fixture
def other_fake(shared: Shared) -> Running:
    """The engine of the model that is called other, well-behaved again."""
    shared.other.behave(**WELL)
    return shared.other


@pytest.fixture(scope="module")
def shared_fake(shared: Shared) -> Iterator[Running]:
    with running_fake() as fake:
        register(shared.server.home, fake)
        yield fake


@pytest.fixture
def fake(shared_fake: Running) -> Running:
    """The engine of the model that is called fake, well-behaved again."""
    shared_fake.behave(**WELL)
    return shared_fake


@pytest.fixture
def program(url: str) -> Iterator[Program]:
    """Programs on other machines: one for each address of theirs."""
    opened: list[httpx.Client] = []

    def made(headers: dict[str, str] | None = None, address: str = "127.0.0.9") -> httpx.Client:
        way: Any = httpx.HTTPTransport(local_address=address)
        opened.append(httpx.Client(base_url=url, headers=headers, transport=way, timeout=30))
        return opened[-1]

    yield made
    for one in opened:
        one.close()
