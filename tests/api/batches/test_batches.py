"""/v1/batches on the real server and a fake engine, by the official client."""

import json
from typing import Any

import anthropic
import httpx
import openai
import pytest

from lib.jobs import jobs
from tests.support.batches import (
    answered,
    begun,
    ended,
    file_of,
    line,
    names,
    requests,
    rows,
)
from tests.support.fake_engine import Running
from tests.support.served import gained, served_in
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("fake")


def test_a_batch_is_answered_line_by_line(client: openai.OpenAI) -> None:
    file = client.files.create(file=("in.jsonl", requests(12, max_tokens=3)), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"for": "a test"},
    )
    assert (batch.status, batch.model, batch.metadata) == ("validating", "fake", {"for": "a test"})
    assert batch.expires_at == batch.created_at + 86_400
    over = ended(client, batch)
    assert (over.status, over.errors, over.error_file_id) == ("completed", None, None)
    assert over.request_counts
    assert over.request_counts.model_dump() == {"completed": 12, "failed": 0, "total": 12}
    assert over.usage
    assert over.usage.output_tokens == 36
    assert over.in_progress_at
    assert over.finalizing_at
    assert over.completed_at
    found = rows(client, over.output_file_id)
    assert names(found) == sorted(f"r{number}" for number in range(12))
    said = {row["custom_id"]: row["response"] for row in found}
    assert said["r7"]["status_code"] == 200
    assert said["r7"]["request_id"]
    assert said["r7"]["body"]["choices"][0]["message"]["content"] == "t0 t1 t2 "
    assert len({row["id"] for row in found}) == 12


EACH = {
    "/v1/completions": {"prompt": "Once", "messages": None},
    "/v1/embeddings": {"input": "Once", "messages": None},
    "/v1/responses": {"input": "Once", "messages": None},
}


@pytest.mark.parametrize("endpoint", EACH)
def test_every_endpoint_of_the_list_is_answered(client: openai.OpenAI, endpoint: str) -> None:
    one = line("a", url=endpoint, **EACH[endpoint])
    del one["body"]["messages"]
    over = ended(client, begun(client, file_of(one), endpoint))
    assert over.status == "completed"
    [row] = rows(client, over.output_file_id)
    assert row["response"]["status_code"] == 200


def test_what_the_shield_refuses_is_told_of_its_line(client: openai.OpenAI, fake: Running) -> None:
    data = file_of(line("good"), line("bad", n=10_000), line("less", no_such_field=1))
    over = ended(client, begun(client, data))
    assert over.status == "completed"
    assert over.request_counts
    assert (over.request_counts.completed, over.request_counts.failed) == (2, 1)
    [bad] = rows(client, over.error_file_id)
    assert (bad["custom_id"], bad["error"]) == ("bad", None)
    assert bad["response"]["status_code"] == 400
    assert bad["response"]["body"]["error"]["message"]
    told = {row["custom_id"]: row["response"] for row in rows(client, over.output_file_id)}
    assert "no_such_field" in told["less"]["headers"]["berth-ignored"]


def test_what_is_wrong_with_a_file_is_told_by_lines_and_nothing_is_asked(
    client: openai.OpenAI, fake: Running
) -> None:
    asked = len(fake.record())
    data = file_of(line("a"), line("a"), {**line("c"), "url": "/v1/x"}) + b"{no\n"
    over = ended(client, begun(client, data))
    assert (over.status, over.output_file_id) == ("failed", None)
    assert over.failed_at
    assert over.errors
    assert over.errors.data
    assert [(one.line, one.code) for one in over.errors.data] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_url"),
        (4, "invalid_json_line"),
    ]
    assert len(fake.record()) == asked


@pytest.mark.parametrize("model", ["org/nobody:x", "../../api/health", "a b?c#d%2e", "\n"])
def test_a_model_that_is_not_there_is_told(client: openai.OpenAI, model: str) -> None:
    over = ended(client, begun(client, requests(1, model=model)))
    assert over.errors
    assert over.errors.data
    assert [one.code for one in over.errors.data] == ["model_not_found"]


def test_a_cancelled_batch_keeps_what_is_done(client: openai.OpenAI, fake: Running) -> None:
    fake.behave(prefill_ms=100)
    batch = answered(client, begun(client, requests(200)), 3)
    assert client.batches.cancel(batch.id).status == "cancelling"
    over = ended(client, batch)
    assert (over.status, bool(over.cancelled_at)) == ("cancelled", True)
    done, left = rows(client, over.output_file_id), rows(client, over.error_file_id)
    assert 3 <= len(done) < 200
    assert {row["error"]["code"] for row in left} == {"batch_cancelled"}
    assert names(done, left) == sorted(f"r{number}" for number in range(200))
    assert client.batches.cancel(batch.id).status == "cancelled"
    with pytest.raises(openai.ConflictError, match="completed already"):
        client.batches.cancel(ended(client, begun(client, requests(1))).id)


def test_two_batches_of_a_model_wait_for_one_another_and_the_second_can_be_cancelled(
    client: openai.OpenAI, fake: Running
) -> None:
    fake.behave(prefill_ms=200)
    first = answered(client, begun(client, requests(100)), 1)
    second = begun(client, requests(100))
    client.batches.cancel(second.id)
    over = ended(client, second)
    assert over.status == "cancelled"
    assert len(rows(client, over.error_file_id)) == 100
    assert client.batches.retrieve(first.id).status == "in_progress"
    client.batches.cancel(first.id)
    ended(client, first)


def test_an_engine_that_has_too_much_is_asked_again(client: openai.OpenAI, fake: Running) -> None:
    fake.behave(status=429)
    batch = begun(client, requests(4))
    until(lambda: len(fake.record()) and fake.record()[-1]["ended"] == "refused", "a refusal")
    fake.behave(status=200)
    over = ended(client, batch)
    assert over.request_counts
    assert (over.request_counts.completed, over.request_counts.failed) == (4, 0)


def test_batches_come_in_pages(client: openai.OpenAI) -> None:
    ids = [begun(client, requests(1)).id for _ in range(3)]
    assert [one.id for one in client.batches.list(limit=2)][:3] == ids[::-1]
    page = client.batches.list(limit=2)
    assert (len(page.data), page.has_more) == (2, True)


def test_the_input_of_a_batch_stays_until_it_is_over(client: openai.OpenAI, fake: Running) -> None:
    fake.behave(prefill_ms=200)
    batch = begun(client, requests(50))
    with pytest.raises(openai.ConflictError, match="still reads this file"):
        client.files.delete(batch.input_file_id)
    client.batches.cancel(batch.id)
    ended(client, batch)
    assert client.files.delete(batch.input_file_id).deleted


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input_file_id": "file-nobody"}, "input_file_id"),
        ({"input_file_id": None}, "input_file_id"),
        ({"endpoint": "/v1/images/generations"}, "endpoint"),
        ({"endpoint": "/v1/messages"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"output_expires_after": {"anchor": "x", "seconds": 1}}, None),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(
    server: Server, client: openai.OpenAI, changes: dict[str, Any], param: str | None
) -> None:
    file = client.files.create(file=("a", requests(1)), purpose="batch")
    wish = {
        "input_file_id": file.id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    answer = httpx.post(f"{server.url}/v1/batches", json={**wish, **changes})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"]
    if param:
        assert error["param"] == param


def test_answers_are_no_requests(client: openai.OpenAI) -> None:
    over = ended(client, begun(client, requests(1)))
    with pytest.raises(openai.BadRequestError, match="answers in it"):
        client.batches.create(
            input_file_id=over.output_file_id or "",
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/batches/batch_nobody", 404),
        ("POST", "/v1/batches/batch_nobody/cancel", 404),
        ("DELETE", "/v1/batches/batch_nobody", 405),
        ("GET", "/v1/batches/x/cancel", 405),
        ("GET", "/v1/batches/x/content", 404),
        ("GET", "/v1/batches?limit=101", 400),
    ],
)
def test_everything_else_is_refused_in_the_dialect(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, server.url + path)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"1", b'{"a": NaN}', b"[" * 60_000])
def test_a_body_that_is_none_is_refused(server: Server, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/v1/batches", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_anthropics_batches_are_told_to_be_none(server: Server) -> None:
    with (
        anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0) as client,
        pytest.raises(anthropic.NotFoundError, match="in OpenAI's dialect alone"),
    ):
        client.messages.batches.list()


def test_its_requests_count_as_a_programs(client: openai.OpenAI, server: Server) -> None:
    before, key = served_in(server.home), ("llamacpp", "fake", "a program")
    ended(client, begun(client, requests(3)))
    until(lambda: gained(before, served_in(server.home)).get(key), "the count")


def test_a_batch_is_a_job_that_tells_its_progress(
    client: openai.OpenAI, fake: Running, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    over = ended(client, begun(client, requests(5)))
    job = next(job for job in jobs.recent() if job.details == {"batch": over.id})
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    job = jobs.find(job.id)
    assert (job.title, job.state) == ("Batch for fake", "succeeded")
    assert job.last_line() == "The batch is completed: 5 of 5 requests answered."
    log = json.dumps(job.model_dump(mode="json")) + job.log_tail()
    record = json.loads((server.home / "batches" / "runs" / over.id / "batch.json").read_text())
    assert record["proof"] not in log
