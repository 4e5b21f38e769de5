"""One shared Berth for all attacks, a fake engine in it, and an eye on what must stay."""

from collections.abc import Iterator

import pytest

from tests.support.attacks import Place
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import WELL
from tests.support.guests import shared_server
from tests.support.tiny_gguf import write_tiny

NO_HUB = {"HF_ENDPOINT": "http://127.0.0.1:1"}  # nobody outside is asked by a test


@pytest.fixture(scope="package")
def every_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Running]]:
    """A Berth with a model that runs, `fake`, and one that does not, `asleep`."""
    home = tmp_path_factory.mktemp("berth")
    for name in ("fake", "asleep"):
        write_tiny(home / "models" / f"{name}.gguf")
    with running_fake() as fake, shared_server(home, world=NO_HUB) as (server, url):
        register(home, fake)
        yield Place(server, url), fake


@pytest.fixture
def place(every_place: tuple[Place, Running]) -> Iterator[Place]:
    """The server, which has lost nothing and has not failed when the test is over."""
    here, said_before = every_place[0], len(every_place[0].server.output)
    yield here
    assert here.asleep.exists(), "an attack has removed a model"
    assert here.server.process.poll() is None
    assert "Traceback" not in here.server.output[said_before:]


@pytest.fixture
def fake(every_place: tuple[Place, Running]) -> Running:
    """The engine of the model `fake`, well-behaved again."""
    every_place[1].behave(**WELL)
    return every_place[1]
