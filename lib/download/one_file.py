"""One file over HTTP: resumed where it stopped, verified before it gets its name.

A connection that breaks or falls silent is tried again with growing pauses, and the count starts
anew as long as bytes keep coming. Killed at any moment, the partial file stays usable.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from lib.core.errors import BrokenFile, NetworkError, NotFound
from lib.core.files import free_bytes
from lib.core.http import outside_answer
from lib.core.names import shown
from lib.core.settings import settings
from lib.download.partial import FreeBytes, Partial, claimed

LONGEST_PAUSE_SECONDS = 60.0
NEWS_BYTES = 1_000_000  # so much in one try means that the connection works after all
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")

Tell = Callable[[int, int], None]  # bytes so far, and in all (0: not known)
TellRetry = Callable[[NetworkError, float], None]  # what went wrong, and seconds until the next try


@dataclass(frozen=True)
class Source:
    """Where a file is. What is not given here is taken from the server's headers."""

    url: str
    size: int | None = None  # bytes
    sha256: str = ""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what; seconds."""

    connect_seconds: float = 15.0
    silence_seconds: float = 30.0
    retries: int = 5  # in a row, without news
    pause_seconds: float = 1.0  # before the first retry, then twice as long each time


@dataclass(frozen=True)
class Remote:
    """What the server sends: from which byte on, of how many, and of what."""

    start: int
    total: int | None
    identity: dict[str, Any]
    sha256: str


class _Said(NamedTuple):
    """An answer: its status, who gave it, and the headers of the redirects and of itself."""

    status: int
    url: str
    hops: Sequence[Mapping[str, str]]


class Interrupted(NetworkError):
    """The server had a bad moment; trying again may help, at the earliest after `pause` seconds."""

    def __init__(self, message: str, fix: str, pause_seconds: float = 0.0) -> None:
        super().__init__(message, fix)
        self.pause_seconds = pause_seconds


def hub_file(repo: str, revision: str, filename: str) -> str:
    """The address of a file on the Hub."""
    return f"{settings().hf_endpoint}/{repo}/resolve/{revision}/{filename}"


def download(
    source: Source,
    target: Path,
    *,
    progress: Tell,
    patience: Patience | None = None,
    free: FreeBytes = free_bytes,
    retrying: TellRetry = lambda _error, _seconds: None,
) -> None:
    """Fetch the file to `target`; nothing happens where it is there already.

    NotFound (missing, private or gated), NetworkError, NoSpace: what has arrived is kept, and the
    next call goes on from there. BrokenFile: it was not what was asked for, and is removed.
    """
    total = source.size or 0
    with claimed(target, source.size, lambda size: progress(size, total)) as part:
        if part is not None:
            _fetch(source, part, progress, patience or Patience(), free, retrying)


def _fetch(
    source: Source,
    part: Partial,
    progress: Tell,
    patience: Patience,
    free: FreeBytes,
    retrying: TellRetry,
) -> None:
    if source.sha256 and part.identity != {"sha256": source.sha256}:
        part.restart()
    if source.size is not None and part.size > source.size:
        part.restart()
    failures = 0
    while source.size is None or part.size < source.size:
        before = part.size
        try:
            _receive(source, part, progress, patience, free)
            return
        except NetworkError as error:
            failures = 1 if part.size - before >= NEWS_BYTES else failures + 1
            if failures > patience.retries:
                raise
            pause = _pause(error, failures, patience)
            retrying(error, pause)
            time.sleep(pause)
    part.finish(source.sha256)  # it was all there, and the last process had no time to say so


def _pause(error: NetworkError, failures: int, patience: Patience) -> float:
    """Seconds to wait before the next try."""
    wished = error.pause_seconds if isinstance(error, Interrupted) else 0.0
    own = patience.pause_seconds * float(2 ** (failures - 1))
    return min(max(wished, own), LONGEST_PAUSE_SECONDS)


def _receive(
    source: Source, part: Partial, progress: Tell, patience: Patience, free: FreeBytes
) -> None:
    """One try, from where the part ends to the end of the file."""
    if source.size is not None:
        part.require_space(source.size - part.size, free)
    with outside_answer(
        source.url,
        headers=_headers(source.url, part.size),
        connect_seconds=patience.connect_seconds,
        silence_seconds=patience.silence_seconds,
    ) as answer:
        if answer.status_code == 416:  # the part is longer than the file
            part.restart()
        hops = [hop.headers for hop in (*answer.history, answer)]
        remote = _remote(source, _Said(answer.status_code, str(answer.url), hops))
        _continue(part, remote)
        if remote.total is not None:
            part.require_space(remote.total - part.size, free)
        for data in answer.iter_raw():
            part.append(data)
            progress(part.size, remote.total or 0)
    if remote.total is not None and part.size != remote.total:
        raise Interrupted("The server ended the download too early.", "Resume it later.")
    part.finish(remote.sha256)


def _headers(url: str, offset: int) -> dict[str, str]:
    """The bytes as they are, from `offset` on."""
    headers = {"Accept-Encoding": "identity", **authorization(url)}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    return headers


def authorization(url: str) -> dict[str, str]:
    """The header with the Hub's token, for the Hub's own host and nobody else."""
    token = settings().hf_token
    if token and _origin(url) == _origin(settings().hf_endpoint):
        return {"Authorization": f"Bearer {token.get_secret_value()}"}
    return {}


def _origin(url: str) -> tuple[str, str]:
    """Scheme and host with its port, as the same host is always written."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return "", url
    return parts.scheme, f"{parts.hostname}:{port}"


def _remote(source: Source, said: _Said) -> Remote:
    """What is coming, from the headers of the answer and of the redirects before it."""
    headers, status, hops = said.hops[-1], said.status, said.hops
    _raise_for(said, source.url)
    ranged = _RANGE.fullmatch(headers.get("Content-Range", "")) if status == 206 else None
    if status == 206 and not ranged:
        raise Interrupted(f"{_host(said.url)} sent a piece of unknown place.", "Resume it later.")
    length = headers.get("Content-Length", "")
    start = int(ranged[1]) if ranged else 0
    total = int(ranged[2] if ranged else length) if ranged or length else source.size
    if source.size is not None and total != source.size:
        raise BrokenFile(
            f"{_host(source.url)} has {total:,} bytes under this name, not {source.size:,}.",
            "It is not the file that was asked for. Check the repository and the revision.",
        )
    sha256 = source.sha256 or _linked_sha256(hops)
    etag = headers.get("ETag", "")
    known = {"sha256": sha256} if sha256 else {"url": source.url, "etag": etag, "size": total}
    return Remote(start, total, known, sha256)


def _linked_sha256(hops: Sequence[Mapping[str, str]]) -> str:
    """The checksum the Hub names for large files, before it redirects to where they are."""
    tags = [hop.get("X-Linked-ETag", "").strip('"') for hop in hops]
    return next((tag for tag in tags if _SHA256.fullmatch(tag)), "")


def _continue(part: Partial, remote: Remote) -> None:
    """Make the part one that this answer continues."""
    if remote.start == 0 or part.identity != remote.identity:
        part.restart()
    if remote.start != part.size:
        raise Interrupted("The file has changed on the server.", "Try again.")
    part.identify(remote.identity)


def _raise_for(said: _Said, url: str) -> None:
    """Turns an error status into words.

    The Hub sends whoever may have a file on to where it is stored, by an address that is good for
    a while. What that other host refuses says nothing about rights: the next try asks for a new
    address.
    """
    status, headers = said.status, said.hops[-1]
    host, name = _host(said.url), shown(unquote(urlsplit(url).path.rpartition("/")[2]))
    if status in (200, 206):
        return
    if 400 <= status < 500 and status not in (416, 429) and _origin(said.url) != _origin(url):
        raise Interrupted(
            f"{host}, where {_host(url)} keeps {name}, refuses its address ({status}): it may have "
            "expired.",
            "Resume it: a new address is asked for.",
        )
    if status in (401, 403):
        raise NotFound(
            f"{host} refuses {name} ({status}): the repository is private, gated or missing.",
            "Accept its terms on the Hub and save an access token, then retry.",
        )
    if status == 429:
        raise Interrupted(
            f"{host} limits downloads at the moment (429).",
            "Wait some minutes, then resume. With an access token the limits are higher.",
            _retry_after(headers),
        )
    if status == 416 or status >= 500:
        raise Interrupted(f"{host} answered {status} for {name}.", "Resume it later.")
    raise NotFound(f"{host} has no {name} ({status}).", "Check the repository and the revision.")


def _retry_after(headers: Mapping[str, str]) -> float:
    wished = headers.get("Retry-After", "")
    return float(wished) if wished.isdecimal() else 0.0


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
