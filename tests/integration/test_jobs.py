"""Jobs that cannot be lost: real commands, real kills."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from lib import jobs, locks
from lib.errors import BadInput, Conflict, NoSpace, NotFound
from lib.jobs import Job, JobState
from lib.process_group import ProcessGroup
from lib.settings import settings
from tests.conftest import ROOT

WAIT_SECONDS = 30.0
QUICK_LADDER = ((signal.SIGTERM, 0.5), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
STARTER_OF_JOBS = """
import sys, time
from lib import access, jobs
access.own_process()
for command in sys.argv[2:]:
    job = jobs.start(["bash", "-c", command], title="t", kind="test", resource=sys.argv[1])
    print(job.id, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def nothing_outlives_its_test(home: Path) -> Iterator[None]:
    """Neither a job nor what it has left running."""
    yield
    for job in jobs.running():
        job.cancel(((signal.SIGKILL, 10.0),))
    for runner in settings().jobs.glob("*/runner"):
        with contextlib.suppress(ValidationError):
            left = ProcessGroup.model_validate_json(runner.read_bytes())
            assert left.end(((signal.SIGKILL, 10.0),)) == []


def bash(script: str, resource: str = "") -> Job:
    return jobs.start(["bash", "-c", script], title="A test", kind="test", resource=resource)


def until(is_so: Callable[[], object], what: str = "what was expected") -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


def ended(job: Job) -> Job:
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    return jobs.find(job.id)


def begun(job: Job, words: str = "begun") -> Job:
    until(lambda: words in jobs.find(job.id).log_tail(), f"“{words}” in the log")
    return jobs.find(job.id)


def group(job: Job) -> ProcessGroup:
    return ProcessGroup.model_validate_json((job.folder / "runner").read_text())


def kill_runner(job: Job) -> None:
    os.kill(group(job).pid, signal.SIGKILL)
    until(lambda: not group(job).has_leader, "the end of the runner")


def test_a_job_runs_and_keeps_what_it_printed() -> None:
    job = bash("echo out; echo err >&2")
    assert job.state in (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED)
    over = ended(job)
    assert (over.state, over.exit_code, over.title, over.kind) == (
        "succeeded",
        0,
        "A test",
        "test",
    )
    assert over.log_tail() == "out\nerr"
    assert over.created <= (over.started or 0) <= (over.ended or 0)


@pytest.mark.parametrize(
    ("script", "code", "state"),
    [
        ("exit 7", 7, "failed"),
        ("exit 255", 255, "failed"),
        ("exit 130", 130, "cancelled"),
        ("kill -TERM $$", 143, "cancelled"),
        ("kill -KILL $$", 137, "failed"),
        ("kill -SEGV $$", 139, "failed"),
    ],
)
def test_how_a_job_ended_is_known(script: str, code: int, state: str) -> None:
    over = ended(bash(script))
    assert (over.exit_code, over.state) == (code, state)


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-command-here", 127), ("/", 126), (str(ROOT / "README"), 127)]
)
def test_a_command_that_cannot_run_says_so_in_the_log(command: str, code: int) -> None:
    over = ended(jobs.start([command], title="t", kind="test"))
    assert (over.state, over.exit_code) == (JobState.FAILED, code)
    assert over.last_line().startswith(f"{command} cannot be run: ")


@pytest.mark.parametrize("command", [[], [""], ["a\0b"], ["echo", "\0"]])
def test_what_is_no_command_is_refused(command: list[str]) -> None:
    with pytest.raises(BadInput):
        jobs.start(command, title="t", kind="test")
    assert jobs.recent() == []


@pytest.mark.parametrize(
    "word", ["$(touch x)", "; exit 9", "`id`", "../..", "a\nb", "é😀‮", "x" * 10_000, "-n", ""]
)
def test_words_of_a_command_arrive_as_they_are(word: str) -> None:
    script = "import sys; print(repr(sys.argv[1]))"
    over = ended(jobs.start([sys.executable, "-c", script, word], title=word, kind="test"))
    assert over.log_tail() == repr(word)
    assert over.title == word


def test_a_job_knows_where_it_is(home: Path) -> None:
    over = ended(
        jobs.start(
            ["bash", "-c", 'echo "$PWD|$BERTH_HOME|$BERTH_EVENTS|$EXTRA"'],
            title="t",
            kind="test",
            env={"EXTRA": "given", "BERTH_EVENTS": "not this"},
        )
    )
    assert over.log_tail() == f"{ROOT}|{home}|{over.folder}/events.jsonl|given"


def test_only_the_owner_can_read_a_job() -> None:
    over = ended(bash("echo x"))
    assert over.folder.stat().st_mode & 0o777 == 0o700
    assert (over.folder / "log").stat().st_mode & 0o777 == 0o600
    assert (over.folder / "job.json").stat().st_mode & 0o777 == 0o600


def test_no_secret_reaches_the_disk(home: Path) -> None:
    secret, token = "a-plain-looking-word", "hf_" + "a1B2" * 8
    script = 'echo "$MY_API_KEY"; echo "$HF_TOKEN"; printf "part "; sleep 0.1; echo ${MY_API_KEY}'
    over = ended(
        jobs.start(
            ["bash", "-c", script],
            title="t",
            kind="test",
            env={"MY_API_KEY": secret, "HF_TOKEN": token},
        )
    )
    assert over.log_tail() == "***\n***\npart ***"
    everything = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not any(s.encode() in data for s in (secret, token) for data in everything)


@pytest.mark.parametrize("place", ["command", "details", "title"])
def test_a_secret_in_the_record_is_a_mistake(place: str) -> None:
    secret = "a-plain-looking-word"
    with pytest.raises(ValueError, match="environment"):
        jobs.start(
            ["echo", secret if place == "command" else ""],
            title=secret if place == "title" else "",
            kind="test",
            details={"key": secret} if place == "details" else {},
            env={"MY_API_KEY": secret},
        )
    assert jobs.recent() == []


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


def test_a_killed_runner_or_log_keeper_costs_no_output(home: Path) -> None:
    script = f"""
        echo begun
        for n in $(seq 2000); do echo "line $n, as long as a line of a log is now and then"; done
        until [ -e {home}/go ]; do echo "and on"; sleep .02; done
        echo last; echo 3 > "${{BERTH_EVENTS%/*}}/exit_code.self" """
    job = begun(bash(script), "and on")
    keeper = next(
        p for p in psutil.Process(group(job).pid).children() if "job_runner" in str(p.cmdline())
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


def test_a_queued_job_that_lost_its_runner_is_lost() -> None:
    bash("sleep 60", "gpu0")
    second = bash("echo mine", "gpu0")
    until((second.folder / "runner").exists)
    kill_runner(second)
    assert jobs.find(second.id).state == JobState.LOST
    assert jobs.find(second.id).log_tail() == ""


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


def test_a_process_that_nothing_can_end_is_named() -> None:
    job = begun(bash(STUBBORN))
    with pytest.raises(Conflict, match=r"could not be ended: process \d+"):
        job.cancel(((signal.SIGTERM, 0.2),))
    assert jobs.find(job.id).is_active


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


def test_old_jobs_are_forgotten_and_running_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_JOBS", 3)
    oldest = bash("sleep 60")
    for _ in range(5):
        ended(bash("true"))
    assert len(jobs.recent()) == 4
    assert jobs.find(oldest.id).is_active


def test_a_job_can_be_done_again() -> None:
    first = ended(
        jobs.start(["bash", "-c", "exit 4"], title="t", kind="k", resource="r", details={"a": [1]})
    )
    again = ended(first.retry())
    assert again.id != first.id
    assert (again.title, again.kind, again.resource, again.details, again.exit_code) == (
        "t",
        "k",
        "r",
        {"a": [1]},
        4,
    )


def test_asked_for_many_times_at_once_it_is_started_once() -> None:
    def ask(_: int) -> str:
        return jobs.start_once(["sleep", "60"], title="t", kind="k", resource="r").id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    (job,) = jobs.running()
    job.cancel()
    assert ask(0) != job.id


def test_many_started_at_once_run_one_after_the_other(home: Path) -> None:
    home.mkdir()
    script = f"mkdir {home}/busy && sleep .02 && rmdir {home}/busy"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: bash(script, "gpu0"), range(8)))
    assert [ended(job).state for job in made] == ["succeeded"] * 8


def test_a_place_that_cannot_be_written_is_named(home: Path) -> None:
    home.mkdir()
    (home / "jobs").write_text("a file")
    with pytest.raises(NoSpace, match="No job can be recorded"):
        bash("true")
    assert jobs.recent() == []


def test_no_zombie_stays_behind() -> None:
    over = ended(bash("true"))
    until(lambda: not psutil.pid_exists(group(over).pid), "collecting the runner")


def test_a_folder_that_vanishes_ends_the_job_in_the_list() -> None:
    job = begun(bash("echo begun; sleep 60"))
    leader = group(job)
    shutil.rmtree(job.folder)
    assert jobs.recent() == []
    assert job.log_tail() == ""
    assert job.read_log(5) == ("", 0)
    leader.end(((signal.SIGKILL, 5.0),))


def test_a_job_cancelled_before_its_runner_can_hear_never_runs(home: Path) -> None:
    first = bash("echo begun; sleep 60", "gpu0")
    second = bash(f"touch {home}/ran", "gpu0")
    (second.folder / "cancelled").touch()
    first.cancel()
    over = ended(second)
    assert (over.state, over.exit_code) == (JobState.CANCELLED, 143)
    assert not (home / "ran").exists()
