"""Where Berth asks for its key, batches work with it, and their own requests send it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from lib.core import owner_key, preferences
from lib.jobs import jobs
from tests.support.batches import begun, client_of, ended, requests
from tests.support.engines import register
from tests.support.fake_engine import running_fake
from tests.support.server import Server, running_server


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    owner_key.choose(True)
    with running_fake() as fake, running_server(home) as running:
        register(home, fake)
        yield running
        for job in jobs.running():
            job.cancel(((signal.SIGKILL, 10.0),))


@pytest.fixture
def client(server: Server, home: Path) -> Iterator[openai.OpenAI]:
    with client_of(server, (home / "owner.key").read_text().strip()) as made:
        yield made


def test_a_batch_is_answered_with_the_owners_key_alone(
    server: Server, client: openai.OpenAI
) -> None:
    over = ended(client, begun(client, requests(3)))
    assert over.request_counts
    assert over.request_counts.completed == 3
    with client_of(server, "wrong") as other:
        with pytest.raises(openai.AuthenticationError):
            other.batches.retrieve(over.id)
        with pytest.raises(openai.AuthenticationError):
            begun(other, requests(1))


def test_a_batch_that_runs_goes_on_when_the_owner_begins_to_ask(client: openai.OpenAI) -> None:
    preferences.change(require_key=False)
    batch = begun(client, requests(60))
    owner_key.choose(True)
    over = ended(client, batch)
    assert over.request_counts
    assert over.request_counts.model_dump() == {"completed": 60, "failed": 0, "total": 60}
