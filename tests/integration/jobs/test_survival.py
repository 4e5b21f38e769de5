"""Jobs that cannot be lost: the dashboard, the runner or the whole machine is ended under them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState
from tests.conftest import ROOT
from tests.support.jobs import bash, begun, ended, group, kill_runner
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")

STARTER_OF_JOBS = """
import sys, time
from lib.core import access
from lib.jobs import jobs
access.own_process()
for command in sys.argv[2:]:
    job = jobs.start(["bash", "-c", command], title="t", kind="test", resource=sys.argv[1])
    print(job.id, flush=True)
time.sleep(60)
"""


def starting_process(resource: str, *commands: str) -> tuple[subprocess.Popen[str], list[Job]]:
    """A dashboard of its own, which has started these jobs."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER_OF_JOBS, resource, *commands],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # open, as a terminal's would be
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    return process, [jobs.find(process.stdout.readline().strip()) for _ in commands]


def kill_with_its_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def test_a_job_survives_the_dashboard_and_all_its_group(home: Path) -> None:
    process, (job,) = starting_process(
        "", f"echo begun; until [ -e {home}/go ]; do sleep .05; done; exit 7"
    )
    begun(job)
    kill_with_its_group(process)
    assert jobs.find(job.id).state == JobState.RUNNING
    (home / "go").touch()
    over = ended(job)
    assert (over.state, over.exit_code) == (JobState.FAILED, 7)


def test_a_question_finds_nobody_to_answer_it() -> None:
    process, (job,) = starting_process("", "read -r answer || echo nobody; cat; echo done")
    assert ended(job).log_tail() == "nobody\ndone"
    kill_with_its_group(process)


def test_a_queue_goes_on_without_any_dashboard(home: Path) -> None:
    first = f"echo begun; until [ -e {home}/go ]; do sleep .05; done; echo one >> {home}/order"
    process, found = starting_process(
        "gpu0", first, f"echo two >> {home}/order", f"echo three >> {home}/order"
    )
    begun(found[0])
    kill_with_its_group(process)
    assert [jobs.find(job.id).state for job in found] == ["running", "queued", "queued"]
    (home / "go").touch()
    assert [ended(job).state for job in found] == ["succeeded"] * 3
    assert (home / "order").read_text().split() == ["one", "two", "three"]


def test_a_killed_runner_or_log_keeper_costs_no_output(home: Path) -> None:
    script = f"""
        echo begun
        for n in $(seq 2000); do echo "line $n, as long as a line of a log is now and then"; done
        until [ -e {home}/go ]; do echo "and on"; sleep .02; done
        echo last; echo 3 > "${{BERTH_EVENTS%/*}}/exit_code.self" """
    job = begun(bash(script), "and on")
    keeper = next(
        p for p in psutil.Process(group(job).pid).children() if "runner.py" in str(p.cmdline())
    )
    keeper.kill()
    until(lambda: not keeper.is_running(), "the end of the log's keeper")
    size = (job.folder / "log").stat().st_size
    until(lambda: (job.folder / "log").stat().st_size > size + 50, "more output")
    kill_runner(job)
    size = (job.folder / "log").stat().st_size
    until(lambda: (job.folder / "log").stat().st_size > size + 50, "more output")
    (home / "go").touch()
    over = ended(job)
    assert (over.state, over.exit_code) == (JobState.FAILED, 3)
    until(lambda: over.last_line() == "last")
    assert over.log_tail(3000).count("\nline ") == 2000


def test_a_service_that_never_stops_to_write_does_not_keep_a_job_from_ending() -> None:
    over = ended(bash("yes & echo started"))
    assert over.state == JobState.SUCCEEDED


def test_a_job_that_leaves_its_own_code_is_not_lost_with_its_runner(home: Path) -> None:
    trap = "trap 'echo $? > \"${BERTH_EVENTS%/*}/exit_code.self\"' EXIT"
    job = bash(f"{trap}; echo begun; until [ -e {home}/go ]; do sleep .05; done; exit 6")
    begun(job)
    kill_runner(job)
    (home / "go").touch()
    over = ended(job)
    assert (over.state, over.exit_code) == (JobState.FAILED, 6)


def test_a_code_a_part_of_the_job_left_does_not_end_it() -> None:
    """A script may run a tool that leaves its code in the same place."""
    job = bash("echo 0 > ${BERTH_EVENTS%/*}/exit_code.self; echo begun; sleep 60")
    assert begun(job).state == JobState.RUNNING


def a_service(home: Path) -> str:
    """Bash for something that goes on after its job, writes to its log, and ends when told."""
    loop = f"while [ ! -e {home}/go ]; do echo still here; sleep .05; done; echo bye > {home}/bye"
    return f"({loop}) &"


def test_a_service_that_a_job_leaves_running_is_not_killed_by_its_end(home: Path) -> None:
    job = bash(f"{a_service(home)} until [ -e {home}/end ]; do sleep .05; done", "gpu0")
    following = bash("echo next", "gpu0")
    begun(job, "still here")
    (home / "end").touch()
    assert ended(job).state == JobState.SUCCEEDED
    assert ended(following).log_tail() == "next"
    (home / "go").touch()
    until((home / "bye").exists, "the service's last word")


def test_the_last_words_of_a_job_are_there_although_its_service_is_silent() -> None:
    assert ended(bash("sleep 60 & printf 'no line end'")).log_tail() == "no line end"


def test_a_service_does_not_keep_a_job_alive_whose_runner_was_killed(home: Path) -> None:
    folder = "${BERTH_EVENTS%/*}"
    job = bash(f"{a_service(home)} sleep .5; echo 0 > {folder}/exit_code.self")
    begun(job, "still here")
    kill_runner(job)
    assert jobs.find(job.id).state == JobState.RUNNING
    assert ended(job).state == JobState.SUCCEEDED
    assert len(group(job).members()) > 0


def test_a_code_that_is_being_written_does_not_end_a_job(home: Path) -> None:
    code = "${BERTH_EVENTS%/*}/exit_code.self"
    waiting = f"until [ -e {home}/go ]; do sleep .05; done"
    job = bash(f": > {code}; echo begun; {waiting}; echo 4 > {code}")
    begun(job)
    kill_runner(job)
    assert jobs.find(job.id).state == JobState.RUNNING
    (home / "go").touch()
    over = ended(job)
    assert (over.state, over.exit_code) == (JobState.FAILED, 4)


def cut_off(script: str) -> Job:
    """A job as a machine leaves it that went down in the middle."""
    job = ended(bash(script))
    until(lambda: not group(job).has_leader, "the end of the runner")
    (job.folder / "exit_code").unlink()
    return job


def test_after_a_restart_of_the_machine_a_running_job_is_lost() -> None:
    job = cut_off("true")
    assert jobs.find(job.id).state == JobState.LOST
    assert jobs.find(job.id).exit_code is None


def test_another_process_with_the_same_pid_is_not_the_job() -> None:
    job = cut_off("true")
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        record = {"pid": stranger.pid, "created": psutil.Process(stranger.pid).create_time() - 100}
        (job.folder / "runner").write_text(json.dumps(record))
        assert jobs.find(job.id).state == JobState.LOST
        jobs.find(job.id).cancel()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
