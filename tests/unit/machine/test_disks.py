"""The disks of a machine: which are told, what lies on them, and one that answers nothing."""

import os
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lib.machine import disks
from lib.machine.disks import DiskTraffic, Mount, holding, is_for_files, told

Counted = namedtuple("Counted", "read_bytes write_bytes")


@pytest.mark.parametrize(
    ("kind", "path", "has_device", "expected"),
    [
        ("ext4", "/", True, True),
        ("zfs", "/tank", True, True),
        ("nfs4", "/mnt/models", False, True),
        ("fuse.sshfs", "/mnt/far", False, True),
        ("virtiofs", "/mnt/host", False, True),
        ("overlay", "/", False, True),
        ("overlay", "/var/lib/containers/x", False, False),
        ("vfat", "/boot/efi", True, False),
        ("squashfs", "/snap/core/1", True, False),
        ("iso9660", "/media/cd", True, False),
        ("apfs", "/System/Volumes/VM", True, False),
        ("apfs", "/Volumes/Models", True, True),
        ("fuse.portal", "/run/user/1/doc", False, False),
        ("exfat", "/run/media/me/stick", True, True),
        ("9p", "/mnt/c", False, True),
        ("proc", "/proc", False, False),
        ("tmpfs", "/dev/shm", False, False),
    ],
)
def test_a_mount_is_told_where_people_keep_files(
    kind: str, path: str, has_device: bool, expected: bool
) -> None:
    assert is_for_files(kind, path, has_device) is expected


def test_a_path_lies_in_the_deepest_mount_above_it_and_in_the_last_of_one_place() -> None:
    there = [Mount("/", "a", "ext4"), Mount("/mnt", "b", "xfs"), Mount("/mnt", "c", "nfs")]
    assert holding("/mnt/models", there) == there[2]
    assert holding("/mnt2", there) == there[0]
    assert holding("/mnt", []) is None


def test_a_device_is_told_once_where_berths_files_lie_else_at_its_shortest_path() -> None:
    there = [
        Mount("/etc/hosts", "/dev/sda1", "ext4"),
        Mount("/workspace", "/dev/sda1", "ext4"),
        Mount("/home/me/models", "/dev/sdb1", "ext4"),
        Mount("/b", "/dev/sdb1", "ext4"),
        Mount("/dev/shm", "tmpfs", "tmpfs", is_for_files=False),
    ]
    assert [m.path for m in told(there, {})] == ["/b", "/workspace"]
    assert [m.path for m in told(there, {"/home/me/models": [], "/dev/shm": []})] == [
        "/dev/shm",
        "/home/me/models",
        "/workspace",
    ]


def test_this_machines_disk_is_found_with_what_lies_there(tmp_path: Path) -> None:
    found = disks.disks({"models": tmp_path / "not" / "there", "records": tmp_path})
    assert found[0].holds == ("models", "records")
    assert 0 < found[0].free_bytes <= found[0].total_bytes
    assert not any(disk.is_silent for disk in found)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A mount below /nowhere whose server is gone: whoever asks waits until the event is set."""
    answers, is_dir = threading.Event(), Path.is_dir

    def asked(path: Path) -> bool:
        if str(path).startswith("/nowhere"):
            answers.wait(60)
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", asked)
    monkeypatch.setattr(disks, "ANSWER_SECONDS", 0.05)
    part = namedtuple("part", "device mountpoint fstype")
    every = [part("/dev/sda1", "/", "ext4"), part("server:/models", "/nowhere", "nfs4")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: every if all else every[:1])
    yield answers
    answers.set()


def test_one_that_answers_nothing_is_told_as_such_and_asked_once(
    silence: threading.Event,
) -> None:
    before = threading.active_count()
    for _ in range(3):
        found = {disk.path: disk for disk in disks.disks({"models": Path("/nowhere/models")})}
        assert found["/nowhere"].is_silent and found["/nowhere"].is_remote
        assert found["/nowhere"].holds == ("models",)
        assert found["/"].total_bytes > 0
    assert threading.active_count() == before + 2  # the mount, and the folder in it
    silence.set()
    for question in list(disks._asked.values()):
        question.join(10)
    found = {disk.path: disk for disk in disks.disks({"models": Path("/nowhere/models")})}
    assert not any(disk.is_silent for disk in found.values())


def test_what_is_read_and_written_is_counted_from_look_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    counts = [Counted(1_000, 50), Counted(3_000, 150), Counted(0, 150), None]
    monkeypatch.setattr("lib.machine.disks.time.monotonic", lambda: now[0])
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: counts.pop(0))
    traffic, seen = DiskTraffic(), []
    for _ in range(4):
        now[0] += 2
        seen.append(traffic.look())
    assert seen == [(None, None), (1_000, 50), (0, 0), (None, None)]


def test_a_system_that_counts_nothing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotImplementedError(os.name)

    monkeypatch.setattr(psutil, "disk_io_counters", refuse)
    assert DiskTraffic().look() == (None, None)
