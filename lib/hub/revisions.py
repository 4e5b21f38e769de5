"""Has a model's file been replaced on the Hub since it was fetched?

Files are compared by the checksums that the Hub keeps of them, so that a change of a card is no
newer model.
"""

from collections.abc import Mapping
from typing import NamedTuple

from lib.core.errors import NetworkError
from lib.core.values import Frozen
from lib.hub.cards import Card, RepoFile
from lib.hub.errors import RevisionNotFound, hub_host
from lib.hub.lookups import look_up

SECONDS = 5.0  # for an answer


class Held(NamedTuple):
    """A file as it is on this machine; `sha256` is "" where nobody has noted it."""

    bytes: int
    sha256: str = ""


class Newer(Frozen):
    """A newer revision of files of this machine."""

    repository: str
    commit: str  # where the repository is now
    changed_at: float | None  # epoch seconds: when the repository was last changed


def newer(repository: str, commit: str, files: Mapping[str, Held]) -> Newer | None:
    """The revision in which one of these files, fetched at this commit, is another; None for none.

    A file that is not there any more has no newer revision. Errors: those of lib/hub/errors.py,
    NetworkError also where the Hub has only been asked before.
    """
    now = look_up(repository, seconds=SECONDS)
    if now.is_stale:
        raise NetworkError(f"{hub_host()} cannot be reached.", "Look at the network, then retry.")
    there = {file.path: file for file in now.files}
    if now.sha == commit or not there.keys() >= files.keys():
        return None
    then = _sums(repository, commit) if any(not held.sha256 for held in files.values()) else {}
    changed = any(_differs(there[path], held, then.get(path, "")) for path, held in files.items())
    return _named(now) if changed else None


def _sums(repository: str, commit: str) -> dict[str, str]:
    """The checksums of that commit; none where the Hub has forgotten it."""
    try:
        card = look_up(repository, commit, seconds=SECONDS)
    except RevisionNotFound:
        return {}
    return {file.path: file.sha256 for file in card.files}


def _differs(now: RepoFile, held: Held, then: str) -> bool:
    """By checksum where there are two, else by size."""
    sha256 = held.sha256 or then
    if sha256 and now.sha256:
        return sha256 != now.sha256
    return now.bytes != held.bytes


def _named(card: Card) -> Newer:
    changed = card.last_modified.timestamp() if card.last_modified else None
    return Newer(repository=card.id, commit=card.sha, changed_at=changed)
