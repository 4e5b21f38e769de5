"""What looks after batches: whose job is begun, when again, and when no more."""

import sys

import pytest

from lib.batches import places, store, stored, watch
from lib.batches.record import Batch, Standing, Status
from lib.batches.results import Result, Results
from lib.batches.watch import KIND, MOST_VAIN, Batches
from lib.batches.work import Work
from lib.core.errors import NoSpace
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.jobs.report import Report
from lib.keys import store as keys
from lib.keys.key import KeyChange
from tests.support.batches import CHAT, requests
from tests.support.jobs import ended
from tests.support.keys import make
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of batches end at once, without having done anything."""

    def start(batch: Batch, *, is_ending: bool) -> Job:
        told = {"batch": batch.asked.id, "is_ending": is_ending}
        command = [sys.executable, "-c", "raise SystemExit(9)"]
        return jobs.start(command, title="t", kind=KIND, details=told)

    monkeypatch.setattr(watch, "start", start)


def made(owner: str = "") -> Batch:
    with stored.receiving(owner) as upload:
        upload.file.write(requests(2))
        file = upload.keep("in.jsonl", stored.KEPT_SECONDS)
    return store.create(file, CHAT)


def last() -> Job:
    return ended(jobs.recent(1, KIND)[0])


def test_nothing_is_begun_where_there_is_nothing() -> None:
    assert Batches().look() == []
    assert jobs.recent() == []


def test_a_batch_is_begun_once_while_its_job_lives() -> None:
    batch, one = made(), Batches()
    assert one.look() == [batch.asked.id]
    assert one.look() == []
    assert Batches().look() == []  # nor by the next dashboard
    assert len(jobs.recent(kind=KIND)) == 1


def test_a_batch_that_is_over_is_left_alone() -> None:
    batch = made()
    store.note(batch.asked, Standing(status=Status.COMPLETED, ended_at=1))
    assert Batches().look() == []


@pytest.mark.usefixtures("short_lived")
def test_the_pauses_grow_while_nothing_gets_done() -> None:
    batch, one, now = made(), Batches(), 1_000.0
    begun_after = []
    for pause in (0.0, 0.0, 2.0, 10.0, 60.0, 300.0, 300.0):
        if pause:
            assert one.look(now + pause - 0.1) == []
        now += pause
        begun_after.append(one.look(now))
        last()
    assert begun_after == [[batch.asked.id]] * 7


@pytest.mark.usefixtures("short_lived")
def test_one_that_gets_on_is_begun_again_at_once() -> None:
    batch, one = made(), Batches()
    for answered in range(20):
        store.note(batch.asked, Standing(status=Status.IN_PROGRESS, completed=answered))
        assert one.look(1_000.0) == [batch.asked.id]
        last()


@pytest.mark.usefixtures("short_lived")
def test_one_that_never_gets_on_is_given_up_and_keeps_its_answers() -> None:
    batch, one, now = made(), Batches(), 1_000.0
    Results(batch.asked).add([Result("r0", 200, {})])
    for _ in range(MOST_VAIN):
        now += 400
        one.look(now)
        last()
    assert one.look(now + 400) == []
    told = store.find(batch.asked.id, "").described()
    assert (told["status"], told["errors"]["data"][0]["code"]) == ("failed", "batch_failed")
    assert told["output_file_id"] == places.output_id(batch.asked.id)
    assert one.look() == []


@pytest.mark.usefixtures("short_lived")
def test_a_job_that_was_cancelled_before_its_turn_cancels_its_batch() -> None:
    batch, one = made(), Batches()
    one.look()
    job = last()
    (job.folder / "cancelled").touch()
    (job.folder / "exit_code").write_text("143\n")
    assert one.look() == [batch.asked.id]
    assert store.is_cancelled(batch.asked)
    assert last().details["is_ending"]


def test_one_that_is_cancelled_in_the_queue_does_not_wait_for_its_turn() -> None:
    batch = made()
    job = jobs.start(["sleep", "60"], title="t", kind="test", resource="batch fake")
    one = Batches()
    one.look()
    [waiting] = jobs.running(KIND)
    assert waiting.state == "queued"
    store.cancel(batch)
    assert one.look() == [batch.asked.id]
    until(lambda: store.find(batch.asked.id, "").standing.is_over, "the end of the batch")
    assert store.find(batch.asked.id, "").status == "cancelled"
    assert jobs.find(job.id).is_active


def test_no_job_is_begun_on_a_full_disk_and_that_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch, one = made(), Batches()
    monkeypatch.setattr(stored, "free_bytes", lambda _: 0)
    assert [one.look() for _ in range(3)] == [[], [], []]
    assert jobs.recent() == []
    assert caplog.text.count(batch.asked.id) == 1


def test_a_batch_stops_before_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made()
    store.note(batch.asked, Standing(status=Status.IN_PROGRESS, in_progress_at=1))
    monkeypatch.setattr(stored, "free_bytes", lambda _: stored.LEFT_FREE_BYTES - 1)
    with pytest.raises(NoSpace, match="too full"):
        Work(store.find(batch.asked.id, ""), Report()).run()
    assert store.find(batch.asked.id, "").status == "in_progress"


def test_one_whose_time_is_over_tells_it_of_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WINDOW_SECONDS", -1)
    batch = made()
    Batches().look()
    assert last().state == "failed"
    told = store.find(batch.asked.id, "")
    assert (told.status, told.standing.failed) == ("expired", 2)
    content = stored.find(places.errors_id(batch.asked.id), "").content.read_text()
    assert content.count('"batch_expired"') == 2
    assert told.described()["expired_at"]


def test_files_that_have_expired_are_removed_but_not_those_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = made()
    with stored.receiving("") as upload:
        upload.keep("old.jsonl", -60)
    monkeypatch.setattr(stored, "KEPT_SECONDS", -60)
    Batches().look()
    assert [file.id for file in stored.every("")] == [used.asked.input_file_id]


def test_a_batch_whose_key_was_deleted_is_cancelled_and_its_files_go() -> None:
    key, _ = make("laptop")
    batch = made(key.id)
    Batches().look()
    assert not store.is_cancelled(batch.asked)
    keys.change(key.id, KeyChange(is_disabled=True))
    keys.delete(key.id)
    one = Batches()
    one.look()
    assert store.is_cancelled(batch.asked)
    until(lambda: store.find(batch.asked.id, key.id).standing.is_over, "the end of the batch")
    Batches().look()
    assert stored.every(key.id) == []
