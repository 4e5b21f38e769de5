"""Batches that cannot be lost: their job, the server or both are killed in the middle."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types import Batch

from lib.batches.places import output_id
from lib.jobs import jobs
from lib.jobs.jobs import Job
from tests.support.batches import answered, begun, client_of, ended, names, requests, rows
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.jobs import group
from tests.support.server import Server, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")

COUNT = 80
GAP_MS = 100  # so long every answer takes


@pytest.fixture
def fake(home: Path) -> Iterator[Running]:
    with running_fake() as engine:
        register(home, engine)
        engine.behave(prefill_ms=GAP_MS, tokens=1)
        yield engine


@pytest.fixture
def server(home: Path, fake: Running) -> Iterator[Server]:
    with running_server(home) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with client_of(server) as made:
        yield made


def job_of(batch: Batch) -> Job:
    """The one that works on it now."""

    def found() -> Job | None:
        mine = [job for job in jobs.running("batch") if job.details["batch"] == batch.id]
        return next((job for job in mine if (job.folder / "started").exists()), None)

    job = until(found, "a job of the batch")
    assert job
    return job


def kill(job: Job) -> None:
    """All its processes, at once."""
    os.killpg(group(job).pid, signal.SIGKILL)
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")


def asked_for(fake: Running) -> Counter[str]:
    """How often the engine was asked for each line."""
    bodies = fake.bodies("/v1/chat/completions")
    return Counter(str(body["messages"][0]["content"]) for body in bodies)


def on_disk(home: Path, batch: Batch) -> list[str]:
    """What is answered so far."""
    output = home / "batches" / "files" / output_id(batch.id) / "content"
    return [json.loads(one)["custom_id"] for one in output.read_bytes().splitlines()]


def assert_whole(client: openai.OpenAI, batch: Batch, count: int = COUNT) -> None:
    assert batch.status == "completed"
    output = rows(client, batch.output_file_id)
    assert rows(client, batch.error_file_id) == []
    assert names(output) == sorted(f"r{number}" for number in range(count))
    assert batch.request_counts
    assert batch.request_counts.model_dump() == {"completed": count, "failed": 0, "total": count}


def test_a_killed_job_is_begun_again_and_asks_nothing_twice_that_was_answered(
    home: Path, client: openai.OpenAI, fake: Running
) -> None:
    asked_before: dict[str, int] = {}
    batch = begun(client, requests(COUNT))
    for part in (8, 20, 32):
        answered(client, batch, part)
        kill(job_of(batch))
        so_far = asked_for(fake)
        asked_before |= {name: so_far[name] for name in on_disk(home, batch)}
    assert len(asked_before) >= 32
    assert_whole(client, ended(client, batch))
    times = asked_for(fake)
    assert {name: times[name] for name in asked_before} == asked_before


def test_a_server_that_is_killed_and_started_again_finds_the_batch_under_way(
    home: Path, fake: Running
) -> None:
    with running_server(home) as first:
        with client_of(first) as client:
            batch = answered(client, begun(client, requests(COUNT)), 5)
        job = job_of(batch)
        first.stop(signal.SIGKILL)
    assert jobs.find(job.id).is_active
    with running_server(home) as second, client_of(second) as client:
        assert_whole(client, ended(client, batch))
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    assert jobs.find(job.id).state == "succeeded"


def test_where_all_was_killed_the_next_server_goes_on(home: Path, fake: Running) -> None:
    with running_server(home) as first:
        with client_of(first) as client:
            batch = answered(client, begun(client, requests(COUNT)), 5)
        job = job_of(batch)
        first.stop(signal.SIGKILL)
        kill(job)
    with running_server(home) as second, client_of(second) as client:
        assert_whole(client, ended(client, batch))


def test_a_job_that_the_system_ends_in_order_goes_on_later(
    client: openai.OpenAI, fake: Running
) -> None:
    """As when the machine is shut down: nobody has cancelled anything."""
    batch = answered(client, begun(client, requests(COUNT)), 5)
    job = job_of(batch)
    os.killpg(group(job).pid, signal.SIGTERM)
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    assert "Interrupted." in jobs.find(job.id).log_tail()
    assert_whole(client, ended(client, batch))


def test_a_job_that_is_cancelled_by_its_button_cancels_its_batch(
    client: openai.OpenAI, fake: Running
) -> None:
    batch = answered(client, begun(client, requests(COUNT * 3)), 5)
    job = job_of(batch)
    job.cancel()
    over = ended(client, batch)
    assert over.status == "cancelled"
    assert jobs.find(job.id).state == "cancelled"
    done, left = rows(client, over.output_file_id), rows(client, over.error_file_id)
    assert len(done) >= 5
    assert names(done, left) == sorted(f"r{number}" for number in range(COUNT * 3))


def test_a_line_that_an_engine_dies_of_is_told_and_the_others_are_answered(
    client: openai.OpenAI, fake: Running
) -> None:
    fake.behave(status=500)
    batch = begun(client, requests(1))
    over = ended(client, batch)
    assert over.status == "completed"
    [row] = rows(client, over.error_file_id)
    assert row["response"]["status_code"] == 500
