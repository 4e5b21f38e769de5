"""BERTH_HOME: cannot be written, lies on a network folder, or is open to others."""

import os
import shlex
import stat
from typing import NamedTuple

from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.machine.mounts import filesystem_of

NAME = "home"
# As the kernels of Linux and macOS call what lies on another machine.
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "9p", "fuse.sshfs", "fuse.rclone", "webdav"}
    | {"davfs", "fuse.davfs2", "ceph", "glusterfs", "fuse.glusterfs", "lustre", "afs"}
)


class Facts(NamedTuple):
    """The folder as it is."""

    path: str
    exists: bool = True
    can_write: bool = True
    filesystem: str = ""
    is_open: bool = False  # others may read it or write to it


def gathered() -> Facts:
    """Nothing is written to find out: the system is asked what it would say."""
    home = settings().home
    if not home.exists():
        return Facts(str(home), exists=False)
    mode = home.stat().st_mode
    return Facts(
        str(home),
        can_write=os.access(home, os.W_OK | os.X_OK),
        filesystem=filesystem_of(home),
        is_open=bool(mode & (stat.S_IRWXG | stat.S_IRWXO)),
    )


def judged(facts: Facts) -> list[Finding]:
    """A home that is not there yet is as it should be."""
    if not facts.exists:
        return []
    found = [] if facts.can_write else [_read_only(facts)]
    if facts.filesystem in NETWORK:
        found.append(_network(facts))
    return [*found, _open(facts)] if facts.is_open and facts.can_write else found


def _read_only(facts: Facts) -> Finding:
    path = shlex.quote(facts.path)
    return Finding(
        id=f"{NAME}:read-only",
        severity=Severity.URGENT,
        title=f"{facts.path} cannot be written.",
        wanted="A folder that this account owns, on a disk that is not mounted read-only.",
        why="Nothing can be downloaded, started or kept.",
        fix=Fix(label="Look at its rights and its disk", command=f"ls -ld {path}; df {path}"),
    )


def _network(facts: Facts) -> Finding:
    return Finding(
        id=f"{NAME}:network",
        severity=Severity.WARNING,
        title=f"{facts.path} is on a network folder ({facts.filesystem}).",
        wanted="A disk of this machine; models alone may lie elsewhere, as links.",
        why="Locks and SQLite are not reliable there, and a model loads at the network's speed.",
        fix=Fix(label="Move it while Berth is stopped", command="export BERTH_HOME=/other/folder"),
        facts=(facts.filesystem,),
    )


def _open(facts: Facts) -> Finding:
    return Finding(
        id=f"{NAME}:open",
        severity=Severity.WARNING,
        title=f"Other accounts of this machine may look into {facts.path}.",
        wanted="Its owner alone.",
        why="Conversations, logs and settings are in it.",
        fix=Fix(label="Close it", action="close_home"),
    )


CHECK = Check(NAME, gathered, judged)
