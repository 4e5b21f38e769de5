"""What the folders of jobs tell: log, progress and the list, though files in them are damaged."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core.errors import NotFound
from lib.core.settings import settings
from lib.jobs import jobs
from tests.support.jobs import bash, begun, ended, group

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")


def test_only_the_owner_can_read_a_job() -> None:
    over = ended(bash("echo x"))
    assert over.folder.stat().st_mode & 0o777 == 0o700
    assert (over.folder / "log").stat().st_mode & 0o777 == 0o600
    assert (over.folder / "job.json").stat().st_mode & 0o777 == 0o600


def test_a_very_long_log_is_read_from_its_end_and_in_pieces() -> None:
    over = ended(bash('for n in $(seq 100000); do echo "line $n"; done'))
    assert over.log_tail(3) == "line 99998\nline 99999\nline 100000"
    text, offset = over.read_log()
    assert text.startswith("line 1\nline 2\n")
    assert len(text) <= 65_536
    pieces = [text]
    while text:
        text, offset = over.read_log(offset)
        pieces.append(text)
    assert "".join(pieces) == "".join(f"line {n}\n" for n in range(1, 100_001))


def test_odd_output_is_shown_as_well_as_it_can_be() -> None:
    over = ended(
        bash(r"printf '\xff\xfe\x00\n'; head -c 200000 /dev/zero | tr '\0' x; echo; echo é")
    )
    assert over.last_line() == "é"
    assert over.read_log()[0].startswith("��\0\n")


def test_progress_is_read_from_the_jobs_own_events() -> None:
    script = """
        say() {
            line="{'at': $(date +%s), 'phase': '$1', 'done': $2, 'total': 8}"
            echo "$line" | tr "'" '"' >> "$BERTH_EVENTS"
        }
        say plan 8; say download 2; echo begun; sleep 60"""
    job = begun(bash(script))
    now = job.progress()
    assert (now.phase, now.state, now.percent, now.done) == ("download", "running", 25.0, 2)
    assert now.phases == (("plan", "succeeded"), ("download", "running"))
    job.cancel()
    assert jobs.find(job.id).progress().state == "cancelled"


def test_jobs_are_listed_newest_first_and_by_kind() -> None:
    made = [ended(jobs.start(["true"], title=f"{n}", kind="a" if n % 2 else "b")) for n in range(5)]
    assert [job.title for job in jobs.recent()] == ["4", "3", "2", "1", "0"]
    assert [job.title for job in jobs.recent(limit=2)] == ["4", "3"]
    assert [job.title for job in jobs.recent(kind="a")] == ["3", "1"]
    assert jobs.find(made[0].id) == made[0]
    assert jobs.running() == []


def test_the_running_ones_are_found_by_kind() -> None:
    job = bash("sleep 60")
    assert [found.id for found in jobs.running("test")] == [job.id]
    assert jobs.running("other") == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "job.json").unlink(),
        lambda folder: (folder / "job.json").write_text(""),
        lambda folder: (folder / "job.json").write_text("[1, 2]"),
        lambda folder: (folder / "job.json").write_bytes(b"\xff\xfe\0"),
        lambda folder: (folder / "job.json").write_text('{"version": 1, "id": 5}'),
        lambda folder: (folder / "job.json").write_text(
            json.dumps({**json.loads((folder / "job.json").read_text()), "version": 2})
        ),
    ],
    ids=["missing", "empty", "list", "binary", "incomplete", "newer"],
)
def test_a_broken_record_does_not_break_the_list(spoil: Callable[[Path], object]) -> None:
    good, bad = ended(bash("true")), ended(bash("true"))
    spoil(bad.folder)
    (settings().jobs / "not-a-job").mkdir()
    (settings().jobs / "20260101-000000-000000-abcd").write_text("a file")
    assert [job.id for job in jobs.recent()] == [good.id]
    with pytest.raises(NotFound):
        jobs.find(bad.id)


@pytest.mark.parametrize("name", ["exit_code", "exit_code.self", "runner", "started", "alive"])
@pytest.mark.parametrize("content", [b"", b"x", b"\xff\0", b'{"pid": 1, "created": 0}', b"[]"])
def test_odd_files_in_a_folder_do_not_break_the_list(name: str, content: bytes) -> None:
    job = ended(bash("true"))
    (job.folder / name).write_bytes(content)
    assert [found.id for found in jobs.recent()] == [job.id]
    assert jobs.running() == []


@pytest.mark.parametrize(
    "job_id", ["", ".", "..", "../x", "a/b", "\0", "x" * 10_000, "‮", "20260101-000000-000000-abcd"]
)
def test_an_unknown_id_is_not_found(job_id: str) -> None:
    ended(bash("true"))
    with pytest.raises(NotFound):
        jobs.find(job_id)


def test_old_jobs_are_forgotten_and_running_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_JOBS", 3)
    oldest = bash("sleep 60")
    for _ in range(5):
        ended(bash("true"))
    assert len(jobs.recent()) == 4
    assert jobs.find(oldest.id).is_active


def test_a_folder_that_vanishes_ends_the_job_in_the_list() -> None:
    job = begun(bash("echo begun; sleep 60"))
    leader = group(job)
    shutil.rmtree(job.folder)
    assert jobs.recent() == []
    assert job.log_tail() == ""
    assert job.read_log(5) == ("", 0)
    leader.end(((signal.SIGKILL, 5.0),))
