"""Models moved to another folder, by the real command: killed, cancelled, on a full disk."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core import locks, model_place
from lib.core.settings import ROOT, settings
from lib.doctor import left_behind
from lib.download.hub_files import folder_of
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, files
from lib.fleet import copies, model_folder, moving
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

COMMIT = "a" * 40
REPO = f"acme/Anvil-GGUF/{COMMIT}"
LARGE = 300_000_000
COMMAND = (sys.executable, "-m", "lib.fleet.moving", "--copy")


@pytest.fixture
def disk(tmp_path: Path, models: Path) -> Path:
    """The folder of now; a few models lie in the one of before, one in parts, one as a link."""
    write_tiny(models / REPO / "anvil.gguf")
    write_tiny(models / "parts.gguf", parts=2)
    (models / REPO / "old.gguf.part").write_bytes(b"begun")
    theirs = tmp_path / "theirs" / "linked.gguf"
    write_tiny(theirs)
    (models / "local").mkdir()
    (models / "local" / "linked.gguf").symlink_to(theirs)
    model_folder.choose(str(tmp_path / "disk"))
    return tmp_path / "disk"


def run() -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, check=False)


def sums(folder: Path) -> dict[str, str]:
    """Of all files below it, links followed."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def names() -> set[str]:
    return {file.name for file in files.all_files() if not file.problem}


def test_all_of_it_lies_in_the_new_folder_and_the_old_one_is_forgotten(disk: Path) -> None:
    old = settings().home / "models"
    before, known = sums(old), names()
    done = run()
    assert done.returncode == 0, done.stdout
    assert f"All models lie in {disk} now." in done.stdout
    assert sums(disk) == before
    assert sums(old) == {}
    assert names() == known == {"anvil", "parts", "linked"}
    assert settings().model_roots == (disk,)
    assert (disk / "local" / "linked.gguf").is_symlink()
    assert files.find("anvil").root == str(disk)


def test_on_one_disk_nothing_is_copied(disk: Path) -> None:
    mark = files.find("anvil").full_path.stat().st_ino
    assert moving.main([]) == 0
    assert files.find("anvil").full_path.stat().st_ino == mark


def test_the_button_starts_one_job_that_tells_its_progress(
    disk: Path, nothing_outlives_its_test: None
) -> None:
    job = model_folder.move()
    until(lambda: not jobs.find(job.id).is_active)
    assert jobs.find(job.id).state == JobState.SUCCEEDED
    assert jobs.find(job.id).progress().percent == 100
    assert model_folder.look().before is None


def test_a_model_that_runs_goes_on_and_starts_again(disk: Path) -> None:
    ENGINE.start("anvil", StartOptions())
    assert run().returncode == 0
    assert ENGINE.upstream("anvil")
    ENGINE.stop("anvil")
    ENGINE.start("anvil", StartOptions())
    assert ENGINE.upstream("anvil")


def large(models: Path) -> str:
    """A model that takes a while, by its bytes; its checksum."""
    write_tiny(models / "large.gguf")
    with (models / "large.gguf").open("ab") as file:
        file.truncate(LARGE)
    return copies.digest(models / "large.gguf")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_or_cancelled_while_it_copies_nothing_is_lost(
    disk: Path, models: Path, how: signal.Signals
) -> None:
    mark = large(models)
    process = subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.DEVNULL)
    until(lambda: any(path.stat().st_size for path in disk.rglob(f"*{copies.ENDING}")))
    process.send_signal(how)
    code = process.wait(30)
    assert copies.digest(files.find("large").full_path) == mark
    assert names() == {"anvil", "parts", "linked", "large"}
    if how == signal.SIGTERM:
        assert code == 130
        assert not [*disk.rglob(f"*{copies.ENDING}")]
    assert run().returncode == 0
    assert copies.digest(disk / "large.gguf") == mark
    assert not [*disk.rglob(f"*{copies.ENDING}")]
    assert names() == {"anvil", "parts", "linked", "large"}
    assert not (models / "large.gguf").exists()


@pytest.mark.parametrize("step", ["take_its_place", "settle", "remove_source"])
def test_killed_at_any_step_every_model_is_whole_in_one_folder(
    disk: Path, models: Path, step: str
) -> None:
    """The process ends without a word at the second time that it gets there."""
    before = sums(models)
    owner = "copies" if step == "settle" else "copies.Copy"
    script = f"""
import os
from lib.core.access import own_process
from lib.fleet import copies, moving
act, count = {owner}.{step}, [0]
def ends(*given):
    count[0] += 1
    if count[0] == 2:
        os._exit(9)
    return act(*given)
{owner}.{step} = ends
own_process()
moving.main(["--copy"])
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 9
    assert names() == {"anvil", "parts", "linked"}
    assert {**sums(models), **whole(disk)} == before
    assert run().returncode == 0
    assert sums(disk) == before
    assert names() == {"anvil", "parts", "linked"}


def whole(folder: Path) -> dict[str, str]:
    return {name: mark for name, mark in sums(folder).items() if not name.endswith(copies.ENDING)}


def test_a_disk_that_becomes_full_leaves_every_model_where_it_is(disk: Path, models: Path) -> None:
    mark = large(models)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 50_000_000))

    done = subprocess.run(
        COMMAND, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=little
    )
    assert done.returncode == 5
    assert "The disk became full:" in done.stdout
    assert "What was not moved is where it was, and can be used." in done.stdout
    assert copies.digest(models / "large.gguf") == mark
    assert not [*disk.rglob(f"*{copies.ENDING}")]
    assert names() == {"anvil", "parts", "linked", "large"}


def test_a_file_of_the_same_name_and_other_content_is_left(disk: Path, models: Path) -> None:
    write_tiny(disk / REPO / "anvil.gguf", context=2048)
    old = (models / REPO / "anvil.gguf").read_bytes()
    done = run()
    assert done.returncode == 0
    assert "stayed: a download is at them, or" in done.stdout
    assert (models / REPO / "anvil.gguf").read_bytes() == old
    assert settings().model_roots == (disk, models)


def test_a_link_to_the_old_file_in_its_new_place_never_costs_the_file(
    disk: Path, models: Path
) -> None:
    (disk / "parts-00001-of-00002.gguf").symlink_to(models / "parts-00001-of-00002.gguf")
    assert run().returncode == 0
    assert (models / "parts-00001-of-00002.gguf").exists()
    assert "parts" in names()


def test_a_target_folder_that_leads_back_never_costs_the_file(disk: Path, models: Path) -> None:
    (disk / "acme").symlink_to(models / "acme")
    assert run().returncode == 0
    assert (models / REPO / "anvil.gguf").exists()
    assert "anvil" in names()


def test_a_link_that_leads_through_the_old_one_keeps_it(tmp_path: Path) -> None:
    real, old, new = tmp_path / "real", tmp_path / "old", tmp_path / "new"
    real.write_bytes(b"model")
    old.symlink_to(real)
    new.symlink_to(old)
    assert not copies.makes_needless(new, old)
    assert copies.makes_needless(old, new)
    assert not copies.makes_needless(new, real)
    new.unlink()
    new.write_bytes(b"model")
    assert copies.makes_needless(new, real)
    new.write_bytes(b"other")
    assert not copies.makes_needless(new, real)


def test_a_model_that_is_removed_while_it_is_copied_does_not_come_back(
    disk: Path, models: Path
) -> None:
    one = copies.Copy(models / REPO / "anvil.gguf", disk / "anvil.gguf")
    one.fill(lambda _more, _name: None, copies_always=True)
    (models / REPO / "anvil.gguf").unlink()
    one.take_its_place()
    one.discard()
    assert not os.path.lexists(disk / "anvil.gguf")


def test_a_copy_that_is_not_like_the_file_is_thrown_away(
    disk: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "digest", lambda _path: "another")
    assert moving.main(["--copy"]) == 2
    assert (models / REPO / "anvil.gguf").exists()
    assert not [*disk.rglob("*.gguf")]


def test_a_broken_off_copy_is_no_reason_to_fetch_a_model_anew(disk: Path, models: Path) -> None:
    (disk / REPO).mkdir(parents=True)
    (disk / REPO / f"1{copies.ENDING}").write_bytes(b"half")
    assert folder_of("acme/Anvil-GGUF", COMMIT) == models / REPO


def test_an_old_broken_off_copy_is_among_what_the_doctor_can_remove(disk: Path) -> None:
    half = disk / f"1{copies.ENDING}"
    half.write_bytes(b"half")
    os.utime(half, (1, 1))
    assert f"1{copies.ENDING}" in [one.path for one in left_behind.partials()]
    with locks.locked(half):
        assert f"1{copies.ENDING}" not in [one.path for one in left_behind.partials()]
    assert left_behind.remove_partial(f"1{copies.ENDING}") == 4
    assert not half.exists()


def test_a_disk_that_is_gone_is_refused(disk: Path) -> None:
    disk.rename(disk.with_name("unplugged"))
    done = run()
    assert done.returncode == 7
    assert f"The folder with your models, {disk}, is not there." in done.stdout
    assert not disk.exists()


def test_with_one_folder_there_is_nothing_to_do(home: Path) -> None:
    assert "All models lie in one folder already." in run().stdout
    assert not (home / model_place.NAME).exists()
