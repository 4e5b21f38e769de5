"""Files and batches of programs with a key: each key's are its own, and so are their requests."""

from collections.abc import Iterator

import openai
import pytest

from tests.support.batches import begun, client_of, ended, file_of, line, requests, rows
from tests.support.fake_engine import Running
from tests.support.keys import changed, made
from tests.support.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.fixture
def laptop(
    server: Server, fake: Running, request: pytest.FixtureRequest
) -> Iterator[openai.OpenAI]:
    """The client of one key."""
    _, secret = made(server, f"laptop {request.node.name}"[:60])
    with client_of(server, secret) as client:
        yield client


@pytest.fixture
def phone(server: Server, fake: Running, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    """The client of another one, which may use the model other alone."""
    _, secret = made(server, f"phone {request.node.name}"[:60], models=["other"])
    with client_of(server, secret) as client:
        yield client


def test_a_key_sees_nothing_of_another_nor_of_the_owner(
    laptop: openai.OpenAI, phone: openai.OpenAI, client: openai.OpenAI
) -> None:
    over = ended(laptop, begun(laptop, requests(3)))
    assert over.status == "completed"
    assert [one.id for one in laptop.batches.list()] == [over.id]
    assert len(list(laptop.files.list())) == 2
    for other in (phone, client):
        assert over.id not in [one.id for one in other.batches.list()]
        assert over.output_file_id not in [one.id for one in other.files.list()]
        for look in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                look(over.id)
        for touch in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError):
                touch(over.output_file_id or "")
        with pytest.raises(openai.BadRequestError, match="no file"):
            other.batches.create(
                input_file_id=over.input_file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
            )


def test_a_model_that_the_key_may_not_use_is_refused_at_once(phone: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="may not use"):
        begun(phone, requests(3))


def test_a_key_that_is_disabled_meanwhile_answers_no_more_lines(
    server: Server, fake: Running
) -> None:
    key_id, secret = made(server, "soon disabled")
    fake.behave(prefill_ms=200)
    with client_of(server, secret) as client:
        batch = begun(client, requests(40))
        assert changed(server, key_id, is_disabled=True).status_code == 200
        with pytest.raises(openai.AuthenticationError):
            client.batches.retrieve(batch.id)
        assert changed(server, key_id, is_disabled=False).status_code == 200
        over = ended(client, batch)
        failed = rows(client, over.error_file_id)
        assert over.request_counts
        assert over.request_counts.completed + over.request_counts.failed == 40
    assert {row["response"]["status_code"] for row in failed} <= {401}


def test_a_batch_keeps_to_the_requests_a_minute_of_its_key(server: Server, fake: Running) -> None:
    _, secret = made(server, "slow", per_minute=2)
    asked = len(fake.record())
    with client_of(server, secret) as client:
        batch = begun(client, file_of(line("a"), line("b"), line("c"), line("d")))
        now = batch
        while now.status in ("validating", "in_progress") and len(fake.record()) < asked + 2:
            now = client.batches.retrieve(batch.id)
        client.batches.cancel(batch.id)
        over = ended(client, batch)
    assert over.request_counts
    assert over.request_counts.completed <= 2
