"""Jobs of one resource run one after the other, however each of them ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.support.jobs import bash, begun, ended, kill_runner
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")


def test_jobs_of_other_resources_run_side_by_side() -> None:
    first, second = bash("echo begun; sleep 60", "gpu0"), bash("echo begun", "gpu1")
    assert ended(second).state == JobState.SUCCEEDED
    assert begun(first).is_active


def test_jobs_without_a_resource_do_not_wait() -> None:
    first, second = bash("echo begun; sleep 60"), bash("echo begun")
    assert ended(second).state == JobState.SUCCEEDED
    assert jobs.find(first.id).is_active


@pytest.mark.parametrize("outcome", ["exit 3", "kill -KILL $$", "kill -KILL $PPID; sleep .3"])
def test_the_next_in_the_queue_runs_however_the_first_ended(home: Path, outcome: str) -> None:
    first = bash(f"until [ -e {home}/go ]; do sleep .02; done; {outcome}", "gpu0")
    second = bash("echo mine", "gpu0")
    (home / "go").touch()
    assert ended(second).log_tail() == "mine"
    assert not jobs.find(first.id).is_active


def test_a_job_outlives_its_killed_runner_and_the_queue_knows(home: Path) -> None:
    first = bash(f"echo begun; until [ -e {home}/go ]; do sleep .05; done", "gpu0")
    second = bash("echo mine", "gpu0")
    begun(first)
    kill_runner(first)
    assert jobs.find(first.id).state == JobState.RUNNING
    time.sleep(0.6)  # more than twice the runner's look around
    assert jobs.find(second.id).state == JobState.QUEUED
    (home / "go").touch()
    assert ended(second).state == JobState.SUCCEEDED
    over = ended(first)
    assert (over.state, over.exit_code) == (JobState.LOST, None)


def test_a_queued_job_that_lost_its_runner_is_lost() -> None:
    bash("sleep 60", "gpu0")
    second = bash("echo mine", "gpu0")
    until((second.folder / "runner").exists)
    kill_runner(second)
    assert jobs.find(second.id).state == JobState.LOST
    assert jobs.find(second.id).log_tail() == ""


def test_many_started_at_once_run_one_after_the_other(home: Path) -> None:
    home.mkdir()
    script = f"mkdir {home}/busy && sleep .02 && rmdir {home}/busy"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: bash(script, "gpu0"), range(8)))
    assert [ended(job).state for job in made] == ["succeeded"] * 8
