"""Files and batches on the disk: whose they are, in which order they come, how long they stay."""

import time
from pathlib import Path

import pytest

from lib.batches import places, store, stored
from lib.batches.record import Asked, Batch, Standing, Status
from lib.batches.results import Result, Results
from lib.batches.stored import StoredFile, receiving
from lib.core.errors import Conflict, NoSpace, NotFound
from tests.support.batches import CHAT, requests


def kept(owner: str = "", data: bytes = b"", name: str = "a.jsonl") -> StoredFile:
    with receiving(owner) as upload:
        upload.file.write(data or requests(2))
        return upload.keep(name, stored.KEPT_SECONDS)


def made(owner: str = "") -> Batch:
    return store.create(kept(owner), CHAT)


def never(_owner: str) -> bool:
    return False


def over(batch: Batch, ended_at: float = 0, status: Status = Status.COMPLETED) -> None:
    store.note(batch.asked, Standing(status=status, ended_at=int(ended_at or time.time())))


def test_a_file_is_private_and_says_what_it_is(home: Path) -> None:
    file = kept(data=b"12345", name="in\u202e\n.jsonl")
    assert file.described() == {
        "id": file.id,
        "object": "file",
        "bytes": 5,
        "created_at": file.created_at,
        "expires_at": file.created_at + stored.KEPT_SECONDS,
        "filename": "in\ufffd\ufffd.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    for path in home.rglob("batches/**/*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_one_key_sees_nothing_of_another() -> None:
    mine, theirs = made("key-1"), made("key-2")
    assert [file.id for file in stored.every("key-1")] == [mine.asked.input_file_id]
    assert [batch.asked.id for batch in store.page("key-1", "", 20)[0]] == [mine.asked.id]
    assert store.page("", "", 20) == ([], False)
    for owner in ("key-1", ""):
        with pytest.raises(NotFound, match="no file"):
            stored.find(theirs.asked.input_file_id, owner)
        with pytest.raises(NotFound, match="no batch"):
            store.find(theirs.asked.id, owner)


@pytest.mark.parametrize("name", ["", "..", "../../x", "file-", "file-" + "A" * 24, "a\0b"])
def test_what_is_no_id_is_no_files(name: str) -> None:
    kept()
    with pytest.raises(NotFound):
        stored.find(name, "")
    with pytest.raises(NotFound):
        store.find(name, "")


def test_an_upload_that_breaks_off_leaves_nothing(home: Path) -> None:
    with pytest.raises(ValueError, match="broke"), receiving("") as upload:
        upload.file.write(b"half")
        raise ValueError("it broke")
    assert list((home / "batches" / "files").iterdir()) == []


def test_pages_come_newest_first_and_go_on_where_they_ended() -> None:
    ids = [made().asked.id for _ in range(5)]
    first, has_more = store.page("", "", 2)
    assert ([one.asked.id for one in first], has_more) == ([ids[4], ids[3]], True)
    rest, has_more = store.page("", ids[3], 3)
    assert ([one.asked.id for one in rest], has_more) == ([ids[2], ids[1], ids[0]], False)


def test_removing_a_file_frees_its_space(home: Path) -> None:
    file = kept()
    stored.remove(file)
    assert list((home / "batches" / "files").iterdir()) == []


def test_a_file_that_a_batch_reads_stays() -> None:
    batch = made()
    file = stored.find(batch.asked.input_file_id, "")
    with pytest.raises(Conflict, match=batch.asked.id):
        store.require_unused(file)
    over(batch)
    store.require_unused(file)


def test_a_full_disk_is_told_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "free_bytes", lambda _: stored.LEFT_FREE_BYTES + 10)
    stored.require_room(10)
    with pytest.raises(NoSpace, match="too full"):
        stored.require_room(11)
    with pytest.raises(NoSpace):
        made()


def test_what_has_expired_goes_and_what_is_used_stays() -> None:
    old, used, new = kept(), kept(), kept()
    late = time.time() + stored.KEPT_SECONDS + 60
    assert stored.prune({used.id, new.id}, late, never) == [old.id]
    assert {file.id for file in stored.every("")} == {used.id, new.id}


def test_what_a_deleted_key_left_goes_too() -> None:
    mine, theirs = kept(), kept("key-1")
    assert stored.prune(set(), time.time(), lambda owner: owner == "key-1") == [theirs.id]
    assert [file.id for file in stored.every("")] == [mine.id]


def test_an_upload_that_nobody_ended_goes_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = stored.Receiving("")
    upload.file.close()
    assert stored.prune(set(), time.time(), never) == []
    monkeypatch.setattr(stored, "STALE_SECONDS", -60)
    assert stored.prune(set(), time.time(), never) == [upload.id]


def test_records_of_long_ago_are_forgotten() -> None:
    old, new, running = made(), made(), made()
    over(old, ended_at=time.time() - store.KEPT_SECONDS - 60)
    over(new)
    store.forget_old(time.time())
    assert store.ids() == [running.asked.id, new.asked.id]


def test_a_cancelled_one_is_ending_until_it_has_ended() -> None:
    batch = store.cancel(made())
    assert batch.status == "cancelling"
    assert batch.described()["cancelling_at"]
    over(batch, status=Status.CANCELLED)
    told = store.cancel(store.find(batch.asked.id, "")).described()
    assert (told["status"], bool(told["cancelled_at"])) == ("cancelled", True)


def test_what_is_over_cannot_be_cancelled() -> None:
    batch = made()
    over(batch)
    with pytest.raises(Conflict, match="completed already"):
        store.cancel(store.find(batch.asked.id, ""))


def test_one_process_works_on_a_batch() -> None:
    batch = made()
    with (
        store.alone(batch.asked),
        pytest.raises(Conflict, match="Another process"),
        store.alone(batch.asked),
    ):
        pass
    with store.alone(batch.asked):
        pass


def test_a_torn_state_is_found_out_again(home: Path) -> None:
    batch = made()
    (home / "batches" / "runs" / batch.asked.id / "state.json").write_bytes(b"\0\0")
    assert store.find(batch.asked.id, "").status == "validating"


def test_requests_are_known_by_their_proof() -> None:
    asked = made("key-1").asked
    assert store.owner_of(f"{asked.id}:{asked.proof}") == "key-1"
    wrong = ["", asked.id, f"{asked.id}:", f"{asked.id}:{asked.proof}x", f"../x:{asked.proof}"]
    assert {store.owner_of(one) for one in wrong} == {None}


def _answered(asked: Asked) -> None:
    Results(asked).add([Result("r0", 200, {})])


def test_files_of_answers_exist_once_they_are_given_to_their_owner() -> None:
    asked = made("key-1").asked
    _answered(asked)
    assert len(stored.every("key-1")) == 1
    for _ in range(2):  # also where a process was killed in between
        assert store.keep_answers(asked) == {"has_output": True, "has_errors": False}
    output = stored.find(places.output_id(asked.id), "key-1")
    assert (output.purpose, output.filename) == ("batch_output", f"{asked.id}_output.jsonl")
    assert len(stored.every("key-1")) == 2
