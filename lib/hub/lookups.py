"""One repository, the GGUF repositories made of it, and searches."""

import re
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlencode

from lib.core.errors import BadInput, NetworkError
from lib.core.names import repo_name, revision_name, shown
from lib.hub import cache
from lib.hub.api import ANSWER_SECONDS, ask
from lib.hub.cards import Card, Found, read_card, read_list
from lib.hub.errors import Asked, HubUnreadable

FRESH_SECONDS = 300.0  # how long a branch is taken to point at the same commit
SEARCH_SECONDS = 5.0
LONGEST_WORDS = 200
MOST_FOUND = 100
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EXPANDED = ("downloads", "likes", "gated", "tags", "gguf", "safetensors", "lastModified")

_Read = TypeVar("_Read")


def look_up(repo: str, revision: str = "main", *, seconds: float = ANSWER_SECONDS) -> Card:
    """The repository at a branch, tag or commit; `seconds` are for an answer.

    What is known of a branch is used for five minutes, of a commit for good; where the Hub cannot
    be reached, the last answer is used however old it is, and the card is marked as stale. Errors:
    BadInput, and those of lib/hub/errors.py.
    """
    asked = Asked(repo_name(repo), revision_name(revision))
    is_commit = _COMMIT.fullmatch(revision) is not None
    card = _kept(asked, None if is_commit else FRESH_SECONDS)
    if card:
        return card
    try:
        return _fetched(asked, seconds)
    except NetworkError:
        card = _kept(asked, None)
        if card is None:
            raise
        return card.model_copy(update={"is_stale": True})


def gguf_repositories(base_repo: str, limit: int = 20) -> list[Found]:
    """The GGUF repositories that declare this one as what they were made of, most used first."""
    base = repo_name(base_repo)
    declared = f"base_model:quantized:{base}"
    found = _listed([("filter", "gguf"), ("filter", declared)], limit)
    return [one for one in found if declared.lower() in (tag.lower() for tag in one.tags)]


def search(
    words: str = "",
    *,
    has_gguf: bool = True,
    is_open: bool = False,
    licence: str = "",
    limit: int = 20,
) -> list[Found]:
    """Repositories whose name has these words, most used first; without words, the most used.

    `is_open` leaves gated ones out, `licence` is an identifier such as `apache-2.0`. A Hub that
    does not answer within five seconds is TimedOut; the same search is answered from memory for
    five minutes.
    """
    params = [("search", _search_words(words))] if words.strip() else []
    params += [("filter", "gguf")] if has_gguf else []
    params += [("filter", f"license:{_licence(licence)}")] if licence else []
    params += [("gated", "false")] if is_open else []
    return _listed(params, limit)


def _question(asked: Asked) -> str:
    revision = quote(asked.revision, safe="")
    return f"/api/models/{asked.repo}/revision/{revision}?blobs=true"


def _kept(asked: Asked, limit_seconds: float | None) -> Card | None:
    """The card as it was last answered; None where it is not there, too old or broken."""
    return _read_kept(
        _question(asked), limit_seconds, lambda kept: read_card(kept.text, asked, kept.at)
    )


def _fetched(asked: Asked, seconds: float) -> Card:
    """The card as the Hub tells it now, kept under its revision and its commit."""
    question = _question(asked)
    body = ask(question, asked, seconds=seconds).body
    card = read_card(body, asked, time.time())
    for revision in {asked.revision, card.sha}:
        cache.write(_question(asked._replace(revision=revision)), body.decode())
    return card


def _listed(params: list[tuple[str, str]], limit: int) -> list[Found]:
    limit = max(1, min(limit, MOST_FOUND))
    order = [("sort", "downloads"), ("limit", str(limit))]
    query = urlencode(params + order + [("expand", name) for name in EXPANDED])
    question = f"/api/models?{query}"
    found = _read_kept(question, FRESH_SECONDS, lambda kept: read_list(kept.text))
    if found is None:
        body = ask(question, Asked(), seconds=SEARCH_SECONDS).body
        found = read_list(body)
        cache.write(question, body.decode())
    return found


def _read_kept(
    question: str, limit_seconds: float | None, read: Callable[[cache.Kept], _Read]
) -> _Read | None:
    """What is kept, read; None for nothing, and for a file that is broken."""
    kept = cache.read(question, limit_seconds)
    try:
        return read(kept) if kept else None
    except HubUnreadable:
        return None


def _search_words(text: str) -> str:
    words = " ".join(text.split())
    if len(words) > LONGEST_WORDS:
        raise BadInput(
            f"The search has {len(words):,} characters.", f"Use at most {LONGEST_WORDS}."
        )
    if shown(words, LONGEST_WORDS) != words:
        raise BadInput(
            f"“{shown(words)}” has characters that cannot be seen.", "Type it instead of pasting."
        )
    return words


def _licence(text: str) -> str:
    if not _LICENCE.fullmatch(text):
        raise BadInput(f"“{shown(text)}” is not a licence.", "Use one such as apache-2.0 or mit.")
    return text.lower()
