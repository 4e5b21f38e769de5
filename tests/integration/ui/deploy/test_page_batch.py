"""The deploy page with the job of a batch: how far it is, how it ended, and its answers."""

import sys

import pytest

from lib.batches import store, stored
from lib.batches.record import Batch, Standing, Status
from lib.batches.results import Result, Results
from lib.batches.watch import KIND
from lib.jobs import jobs
from lib.jobs.jobs import Job
from tests.support.batches import CHAT, requests
from tests.support.deploy_page import labels, opened, said
from tests.support.jobs import begun, ended

pytestmark = pytest.mark.usefixtures("no_ollama", "ended_jobs")

JOB = """
import sys
from lib.jobs import events
events.emit("lines", "succeeded")
events.emit("ask", done=120, total=300, note="The model “a*b*” starts.")
print("begun", flush=True)
print(sys.argv[2], flush=True)
if sys.argv[1] == "wait":
    __import__("time").sleep(600)
sys.exit(int(sys.argv[1]))
"""


def batch_of(owner: str = "") -> Batch:
    with stored.receiving(owner) as upload:
        upload.file.write(requests(2))
        file = upload.keep("in.jsonl", stored.KEPT_SECONDS)
    return store.create(file, CHAT)


def started(batch: Batch, exit_code: str, last_line: str = "The last line.") -> Job:
    return jobs.start(
        [sys.executable, "-c", JOB, exit_code, last_line],
        title="Batch for fake",
        kind=KIND,
        details={"batch": batch.asked.id},
    )


def over(batch: Batch, status: Status = Status.COMPLETED) -> None:
    Results(batch.asked).add([Result("r0", 200, {}), Result("r1", 400, {})])
    store.note(batch.asked, Standing(status=status, ended_at=1, **store.keep_answers(batch.asked)))


def test_one_that_runs_shows_requests_not_bytes_and_can_be_cancelled() -> None:
    job = begun(started(batch_of(), "wait"))
    page = opened(job=job.id)
    assert "Batch for fake" in said(page)
    assert "**●&nbsp;Ask**" in said(page)
    [bar] = [bar for bar in page.get("progress") if "Asking" in bar.proto.text]
    assert "**Asking 40%** · 120 of 300 answered" in bar.proto.text
    assert "a\\*b\\*” starts" in bar.proto.text
    assert "Cancel" in labels(page)
    assert "Pause" not in labels(page)


def test_one_that_is_done_offers_its_answers() -> None:
    batch = batch_of()
    over(batch)
    page = opened(job=ended(started(batch, "0", "2 of 2 requests answered.")).id)
    assert "2 of 2 requests answered." in said(page)
    offered = [one.proto.label for one in page.get("download_button")]
    assert any(label.startswith("Download the answers") for label in offered)
    assert any(label.startswith("Download what failed") for label in offered)
    assert "Try again" not in labels(page)


def test_those_of_a_key_are_its_owners_alone() -> None:
    batch = batch_of("key-1")
    over(batch)
    page = opened(job=ended(started(batch, "0")).id)
    offered = [one.proto.label for one in page.get("download_button")]
    assert [label for label in offered if "answers" in label or "failed" in label] == []


def test_one_that_ended_before_its_batch_goes_on_by_itself() -> None:
    page = opened(job=ended(started(batch_of(), "1", "It broke.")).id)
    assert "It broke." in said(page)
    assert "It goes on by itself." in said(page)
