"""Which findings the owner does not want to see, kept in BERTH_HOME/doctor/ignored.json.

A finding is ignored as it was then: one that has changed is shown again.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lib.core.access import Action, require
from lib.core.errors import Conflict
from lib.core.files import make_private, read_json, write_json
from lib.core.locks import locked
from lib.core.settings import settings
from lib.doctor.finding import Finding

MOST = 500  # the oldest are forgotten beyond it


def is_ignored(finding: Finding, kept: dict[str, str] | None = None) -> bool:
    """Was it ignored as it is now?"""
    known = all_ignored() if kept is None else kept
    return known.get(finding.id) == finding.fingerprint


def all_ignored() -> dict[str, str]:
    """Fingerprints by id; none where the file is absent or broken."""
    found = read_json(_path())
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def ignore(finding: Finding) -> None:
    """Do not show it any more as it is; Conflict where that cannot be kept."""
    require(Action.CONFIGURE)
    with _changing() as kept:
        kept.pop(finding.id, None)
        kept[finding.id] = finding.fingerprint


def show(finding_id: str) -> None:
    """Show it again."""
    require(Action.CONFIGURE)
    with _changing() as kept:
        kept.pop(finding_id, None)


@contextlib.contextmanager
def _changing() -> Iterator[dict[str, str]]:
    """What is kept, to be changed; it is written at the end."""
    try:
        make_private(_path().parent)
        with locked(_path().with_suffix(".lock")):
            kept = all_ignored()
            yield kept
            write_json(_path(), dict(list(kept.items())[-MOST:]))
    except OSError as error:
        raise Conflict(
            f"{_path()} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error


def _path() -> Path:
    return settings().home / "doctor" / "ignored.json"
