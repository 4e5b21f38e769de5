"""A Berth for the tests of one file, a fake engine in it, and a client of its `/v1`."""

from collections.abc import Iterator

import openai
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import WELL
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Berth with one model, which does not run, and which programs may not start.

    Many files have one of their own.
    """
    home = tmp_path_factory.mktemp("berth")
    (home / "settings.toml").write_text("starts_on_demand = false\n")
    write_tiny(home / "models" / "asleep.gguf")
    with running_server(home) as running:
        yield running


@pytest.fixture(scope="module")
def shared_fake(server: Server) -> Iterator[Running]:
    """The engine of the model that is called fake."""
    with running_fake() as fake:
        register(server.home, fake)
        yield fake


@pytest.fixture
def fake(shared_fake: Running) -> Running:
    """The same, well-behaved again."""
    shared_fake.behave(**WELL)
    return shared_fake


@pytest.fixture
def mortal(server: Server) -> Iterator[Running]:
    """A fake of its own, for tests that end it; its model is called mortal."""
    write_tiny(server.home / "models" / "mortal.gguf")
    with running_fake() as fake:
        register(server.home, fake, "mortal")
        yield fake


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """The official client, with a key of its own."""
    with openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="key-of-the-client", max_retries=0
    ) as made:
        yield made
