"""Jobs: real commands, what they are given, how they end, and how they are done again."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lib.core.errors import BadInput, NoSpace
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.conftest import ROOT
from tests.support.jobs import bash, ended, group
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")


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


def test_a_place_that_cannot_be_written_is_named(home: Path) -> None:
    home.mkdir()
    (home / "jobs").write_text("a file")
    with pytest.raises(NoSpace, match="No job can be recorded"):
        bash("true")
    assert jobs.recent() == []


def test_no_zombie_stays_behind() -> None:
    over = ended(bash("true"))
    until(lambda: not psutil.pid_exists(group(over).pid), "collecting the runner")
