"""Jobs that are cancelled: running or queued, stubborn, at once, or too late."""

import json
import signal
from pathlib import Path

import pytest

from lib.core import locks
from lib.core.errors import Conflict
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.support.jobs import bash, begun, ended, group, kill_runner
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")

QUICK_LADDER = ((signal.SIGTERM, 0.5), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
STUBBORN = "trap '' TERM INT HUP; echo begun; while :; do sleep 60; done"


@pytest.mark.parametrize(
    "script",
    [
        "echo begun; sleep 60",
        f"({STUBBORN}) & sleep 60",
        STUBBORN,
        f"trap '' TERM; bash -c \"{STUBBORN}\"; true",
    ],
    ids=["simple", "grandchild", "child", "both"],
)
def test_cancelling_leaves_no_process_and_no_lock(script: str) -> None:
    job = begun(bash(script, "gpu0"))
    job.cancel(QUICK_LADDER)
    assert jobs.find(job.id).state == JobState.CANCELLED
    assert group(job).members() == []
    assert not locks.is_held(job.folder / "alive")
    assert ended(bash("echo next", "gpu0")).log_tail() == "next"


def test_a_job_that_ends_in_order_when_asked_is_asked_first() -> None:
    job = begun(bash("trap 'echo cleaned up; exit 130' TERM; echo begun; sleep 60 & wait"))
    job.cancel()
    over = jobs.find(job.id)
    assert (over.state, over.exit_code) == (JobState.CANCELLED, 130)
    assert over.last_line() == "cleaned up"


def test_a_job_is_cancelled_from_another_process_after_its_runner_was_killed() -> None:
    job = begun(bash(f"({STUBBORN}) & echo begun; sleep 60"))
    kill_runner(job)
    job.cancel(QUICK_LADDER)
    assert jobs.find(job.id).state == JobState.CANCELLED
    assert group(job).members() == []


def test_a_queued_job_that_is_cancelled_never_runs(home: Path) -> None:
    first = bash("echo begun; sleep 60", "gpu0")
    second = bash(f"touch {home}/ran", "gpu0")
    third = bash("echo mine", "gpu0")
    second.cancel()
    first.cancel()
    assert ended(third).log_tail() == "mine"
    assert [jobs.find(job.id).state for job in (first, second)] == ["cancelled", "cancelled"]
    assert not (home / "ran").exists()


def test_cancelling_at_once_or_twice_or_too_late_does_no_harm() -> None:
    job = bash("sleep 60")
    job.cancel()
    job.cancel()
    assert jobs.find(job.id).state == JobState.CANCELLED
    done = ended(bash("exit 3"))
    done.cancel()
    assert jobs.find(done.id).state == JobState.FAILED


@pytest.mark.parametrize("step", [10, -3_600])
def test_a_step_of_the_clock_hides_no_process_from_cancel(step: int) -> None:
    job = begun(bash("echo begun; sleep 60"))
    note = json.loads((job.folder / "runner").read_text())
    (job.folder / "runner").write_text(json.dumps({**note, "created": note["created"] + step}))
    job.cancel(QUICK_LADDER)
    assert jobs.find(job.id).state == JobState.CANCELLED
    assert group(job).members() == []
    assert not locks.is_held(job.folder / "alive")


def test_a_process_that_nothing_can_end_is_named() -> None:
    job = begun(bash(STUBBORN))
    with pytest.raises(Conflict, match=r"could not be ended: process \d+"):
        job.cancel(((signal.SIGTERM, 0.2),))
    assert jobs.find(job.id).is_active


def test_a_job_cancelled_before_its_runner_can_hear_never_runs(home: Path) -> None:
    first = bash("echo begun; sleep 60", "gpu0")
    second = bash(f"touch {home}/ran", "gpu0")
    (second.folder / "cancelled").touch()
    first.cancel()
    over = ended(second)
    assert (over.state, over.exit_code) == (JobState.CANCELLED, 143)
    assert not (home / "ran").exists()


def test_who_kills_the_script_ends_its_steps_too() -> None:
    job = begun(bash("echo begun; sleep 60; echo never"))
    [script] = [p for p in group(job).members() if "sleep 60; echo never" in " ".join(p.cmdline())]
    script.kill()
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    assert jobs.find(job.id).state == JobState.FAILED
    until(lambda: group(job).members() == [], "the end of its steps")
