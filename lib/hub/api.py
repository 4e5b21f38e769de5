"""One question to the Hub, within a time and a size."""

import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from lib.core.errors import BerthError, NetworkError
from lib.core.http import TimedOut, outside_answer
from lib.core.settings import settings
from lib.hub import heard
from lib.hub.errors import (
    Answer,
    Asked,
    Offline,
    TokenRefused,
    failure,
    hub_host,
    storage_refused,
)
from lib.hub.token import authorization

ANSWER_SECONDS = 15.0
STORAGE_RETRIES = 2  # each with a new address, which the Hub signs for some minutes
STORAGE_PAUSE_SECONDS = 0.3
LONGEST_ANSWER = 32 * 2**20  # a repository of 10,000 files is 3 MB


def ask(
    path: str,
    asked: Asked,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = ANSWER_SECONDS,
    limit_bytes: int = LONGEST_ANSWER,
) -> Answer:
    """The answer to a GET of this path, which may begin a longer one than `limit_bytes`.

    The token goes to the Hub's own host only: httpx drops it where a redirect leaves that. Raises
    what lib/hub/errors.py lists, or NetworkError where the Hub cannot be reached.
    """
    here = settings()
    if here.is_offline:
        raise Offline(
            f"{hub_host()} was not asked: HF_HUB_OFFLINE is set.",
            "Unset HF_HUB_OFFLINE and start Berth again to go online.",
        )
    url = f"{here.hf_endpoint}{path}"
    for is_last in (*[False] * STORAGE_RETRIES, True):
        try:
            answer, host = _answered(url, headers or {}, seconds, limit_bytes)
        except NetworkError as error:
            heard.silence(str(error))
            raise
        if 200 <= answer.status < 300:
            heard.token_was(is_refused=False)
            return answer
        if not host:
            raise _heard(failure(answer, asked))
        if is_last or answer.status >= 500:
            raise storage_refused(host, answer.status, asked)
        time.sleep(STORAGE_PAUSE_SECONDS)
    raise AssertionError("the last try returns or raises")


def _heard(error: BerthError) -> BerthError:
    if isinstance(error, TokenRefused):
        heard.token_was(is_refused=True)
    return error


def _answered(
    url: str, headers: Mapping[str, str], seconds: float, limit_bytes: int
) -> tuple[Answer, str]:
    """The answer, and the host that gave it where that is not the Hub but its storage."""
    half = seconds / 2  # for connecting, then for each silence
    with outside_answer(
        url,
        headers={**headers, **authorization()},
        connect_seconds=half,
        silence_seconds=half,
    ) as reply:
        body = _first(reply.iter_bytes(), limit_bytes, seconds)
        asked = reply.history[0].url if reply.history else reply.url
        is_elsewhere = reply.url.netloc != asked.netloc
        host = reply.url.host if is_elsewhere else ""
        if not host:
            heard.answer(reply.headers)
        return Answer(reply.status_code, reply.headers, body), host


def file_address(repo: str, revision: str, path: str) -> str:
    """Where the Hub has a file, below its own address."""
    return f"/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"


def _first(pieces: Iterator[bytes], limit_bytes: int, seconds: float) -> bytes:
    """The first bytes of a stream; TimedOut for one that trickles on and on."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) >= limit_bytes:
            break
        if time.monotonic() > deadline:
            raise TimedOut(f"{hub_host()} answers too slowly.", "Check the network, then retry.")
    return bytes(body[:limit_bytes])
