"""Files of a repository, fetched from Hubs that are slow, rude or broken."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core import locks
from lib.core.errors import BadInput
from lib.download.hub_files import folder_of, patience_from_environment
from lib.jobs import events
from tests.conftest import ROOT
from tests.support.deployment import REPOSITORY, add_tiny, last_line, python
from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi
from tests.support.waiting import until

NAME = "Tiny-Q4_K_M.gguf"
SMALL_DISK = """
import resource, signal, sys
from lib.download.hub_files import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_STALL_SECONDS", "0.5")
    monkeypatch.setenv("BERTH_RETRIES", "2")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv(events.VARIABLE, str(path))
    return path


def place(hub: HubApi) -> Path:
    return folder_of(REPOSITORY, hub.repositories[REPOSITORY]["sha"])


def fetch(*files: str) -> subprocess.CompletedProcess[str]:
    return python("lib.download.hub_files", REPOSITORY, "main", *files)


def percents(told: Path) -> list[float]:
    seen = events.read(told)
    return [events.progress(seen[:n], 0).percent or 0 for n in range(1, len(seen) + 1)]


def test_a_file_is_fetched_verified_and_put_below_its_commit(
    hub: HubApi, tmp_path: Path, told: Path
) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M")
    done = fetch(NAME)
    assert done.returncode == 0, done.stderr
    assert (place(hub) / NAME).read_bytes() == file.read_bytes()
    assert [path.name for path in place(hub).iterdir()] == [NAME]
    last = events.read(told)[-1]
    assert (last.phase, last.state, last.done) == ("download", "succeeded", file.stat().st_size)


def test_parts_of_a_divided_model_count_as_one_total(
    hub: HubApi, tmp_path: Path, told: Path
) -> None:
    files = add_tiny(hub, tmp_path, "Q4_K_M", parts=3, manner=Manner(bytes_per_second=400_000))
    assert fetch(*(file.name for file in files)).returncode == 0
    total = sum(file.stat().st_size for file in files)
    seen = events.read(told)
    assert {event.total for event in seen} <= {0, total}
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert seen[-1].done == total


def test_a_connection_that_dies_in_the_middle_is_resumed(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(die_after=100_000, times=1))
    done = fetch(NAME)
    assert done.returncode == 0
    assert "Trying again in" in done.stdout
    assert [r.headers.get("Range") for r in hub.asked_for("/resolve/")] == [None, "bytes=100000-"]


def test_a_stall_is_noticed_and_tried_again(hub: HubApi, tmp_path: Path, told: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(stall_after=200_000, times=1))
    done = fetch(NAME)
    assert done.returncode == 0
    assert "did not answer in time. Trying again in" in done.stdout
    assert percents(told) == sorted(percents(told))


def test_a_hub_that_stalls_again_and_again_ends_with_6_and_the_part_is_kept(
    hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(stall_after=100))
    done = fetch(NAME)
    assert done.returncode == 6
    assert last_line(done).endswith("retry.")
    assert (place(hub) / f"{NAME}.part").stat().st_size == 300


def test_wrong_bytes_are_never_installed(hub: HubApi, tmp_path: Path, told: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(is_wrong=True))
    done = fetch(NAME)
    assert done.returncode == 2
    assert "arrived damaged" in last_line(done)
    assert not list(place(hub).iterdir())
    assert events.read(told)[-1].state == "failed"


def test_wrong_bytes_once_are_fetched_again_by_the_same_command(
    hub: HubApi, tmp_path: Path, told: Path
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(is_wrong=True, times=1))
    assert fetch(NAME).returncode == 2
    assert fetch(NAME).returncode == 0


def test_a_disk_that_is_too_full_is_known_before_the_first_byte(
    hub: HubApi, tmp_path: Path
) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M")
    hub.add_file(REPOSITORY, NAME, file.read_bytes(), size=10**17)
    done = fetch(NAME)
    assert done.returncode == 5
    assert "needed" in last_line(done)
    assert not hub.asked_for("/resolve/")


def test_a_disk_that_becomes_full_keeps_what_came(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, REPOSITORY, "main", NAME],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5
    assert "became full" in last_line(done)
    assert (place(hub) / f"{NAME}.part").stat().st_size == 200_000
    assert fetch(NAME).returncode == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_the_next_one_goes_on_from_there(
    hub: HubApi, tmp_path: Path, how: signal.Signals
) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(bytes_per_second=200_000))
    command = [sys.executable, "-m", "lib.download.hub_files", REPOSITORY, "main", NAME]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        part = place(hub) / f"{NAME}.part"
        until(lambda: part.exists() and part.stat().st_size > 100_000)
        os.kill(child.pid, how)
        assert child.wait() == (130 if how == signal.SIGTERM else -signal.SIGKILL)
    assert not locks.is_held(part)
    kept = part.stat().st_size
    add_tiny(hub, tmp_path, "Q4_K_M")
    assert fetch(NAME).returncode == 0
    assert (place(hub) / NAME).read_bytes() == file.read_bytes()
    assert hub.requests[-1].headers["Range"] == f"bytes={kept}-"


def test_two_at_once_fetch_a_file_once(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=Manner(bytes_per_second=300_000))
    command = [sys.executable, "-m", "lib.download.hub_files", REPOSITORY, "main", NAME]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(hub.asked_for("/resolve/")) == 1


def test_a_file_that_is_not_there_ends_with_4(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    done = fetch("other.gguf")
    assert done.returncode == 4
    assert re.search(r"has no file “other.gguf”", last_line(done))


@pytest.mark.parametrize("name", ["../../escape.gguf", "/etc/passwd", "a b#c?.gguf"])
def test_odd_file_names_stay_inside_and_are_asked_for_as_they_are(
    hub: HubApi, tmp_path: Path, home: Path, name: str
) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M")
    hub.add_file(REPOSITORY, name, file.read_bytes())
    done = fetch(name)
    is_inside = not name.startswith(("..", "/"))
    assert done.returncode == (0 if is_inside else 4)
    assert [path.name for path in home.rglob("*.gguf")] == ([name] if is_inside else [])


def test_patience_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert patience_from_environment().silence_seconds == 0.5
    monkeypatch.delenv("BERTH_STALL_SECONDS")
    assert patience_from_environment().silence_seconds == 30
    monkeypatch.setenv("BERTH_RETRIES", "some")
    with pytest.raises(BadInput):
        patience_from_environment()
