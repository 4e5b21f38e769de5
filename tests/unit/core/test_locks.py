"""Locks, also in a folder that refuses them as some network folders do."""

import errno
import fcntl
import os
import stat
import tempfile
from pathlib import Path

import pytest

from lib.core import locks
from lib.download.partial import claimed


@pytest.fixture(params=["here", "refusing"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this machine, or one whose files cannot be locked."""
    made = tmp_path / "shared"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "refusing":
        refuse(monkeypatch, made, errno.ENOLCK)
    return made


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """Let the system answer there as it does where locks are not supported."""

    def flock(handle: int, how: int) -> None:
        if os.fstat(handle).st_ino in {path.stat().st_ino for path in folder.rglob("*")}:
            raise OSError(number, os.strerror(number))
        fcntl.flock(handle, how)

    monkeypatch.setattr(locks, "_flock", flock)


def test_a_lock_is_held_until_it_is_left(folder: Path) -> None:
    path = folder / "lock"
    with locks.locked(path):
        assert locks.is_held(path)
    assert not locks.is_held(path)


def test_an_heir_keeps_the_lock(folder: Path) -> None:
    path = folder / "lock"
    with locks.locked(path) as handle:
        heir = os.dup(handle)
    assert locks.is_held(path)
    os.close(heir)
    assert not locks.is_held(path)


def test_who_does_not_wait_is_told(folder: Path) -> None:
    path = folder / "part"
    handles = [os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2)]
    try:
        assert locks.take(handles[0], path)
        assert not locks.take(handles[1], path)
        locks.give_back(handles[0])
        os.close(handles.pop(0))
        assert locks.take(handles[0], path)
        locks.give_back(handles[0])
    finally:
        for handle in handles:
            os.close(handle)
    assert not locks.is_held(path)


def test_a_partial_file_is_one_processes_alone(folder: Path) -> None:
    target = folder / "model.gguf"
    with claimed(target, 3, lambda _: None) as part:
        assert part is not None
        assert locks.is_held(folder / "model.gguf.part")
        part.append(b"abc")
        part.finish()
    assert target.read_bytes() == b"abc"
    assert not locks.is_held(folder / "model.gguf.part")


def test_another_error_is_not_taken_for_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    refuse(monkeypatch, tmp_path / "shared", errno.EIO)
    with pytest.raises(OSError, match="Input/output"), locks.locked(tmp_path / "shared" / "lock"):
        pass


def test_what_stands_for_locks_is_for_their_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    refuse(monkeypatch, tmp_path / "shared", errno.EOPNOTSUPP)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with locks.locked(tmp_path / "shared" / "lock"):
        [made] = tmp_path.glob("berth-locks-*")
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    for file in made.iterdir():
        file.unlink()
    made.rmdir()
    made.symlink_to("/tmp")
    with pytest.raises(OSError, match="not ours"), locks.locked(tmp_path / "shared" / "lock"):
        pass
