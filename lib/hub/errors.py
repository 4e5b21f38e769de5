"""What the Hub may answer instead of what was asked, in words; each has a `code` of its own.

NotFound
 ├─ RepositoryNotFound     missing, or not to be seen with this token: the Hub does not say which
 ├─ RevisionNotFound       no such branch, tag or commit
 ├─ FileMissing            no such file in the repository
 ├─ RepositoryDisabled     taken down by the Hub
 └─ NoAccess               it is there, but not for this visitor
     ├─ TokenNeeded        gated, and asked without a token
     ├─ TermsNotAccepted   gated, and the token's account has not been let in
     ├─ TokenRefused       the token itself is no good
     └─ TokenTooNarrow     the token's permissions do not reach that far
NetworkError
 ├─ Offline                HF_HUB_OFFLINE says not to ask
 ├─ RateLimited            too many questions; `wait_seconds` says how long to wait
 ├─ HubFailed              any other error status
 ├─ StorageRefused         the host where the Hub keeps its files, not the Hub itself
 └─ HubUnreadable          an answer that makes no sense

The rules are those of huggingface_hub (utils/_http.py): the header X-Error-Code decides, and a 401
is what it answers for missing, private and gated repositories alike.
"""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from lib.core import words
from lib.core.errors import BerthError, NetworkError, NotFound
from lib.core.names import shown
from lib.core.settings import settings

DISABLED = "Access to this resource is disabled."
_REFUSED = re.compile(r"invalid credentials|invalid user token|token .*expired", re.IGNORECASE)
_RATE_LIMIT = re.compile(r'"\w+"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,6})')


class RepositoryNotFound(NotFound, code="repository_not_found"):
    """No such repository, or one that must not be seen."""


class RevisionNotFound(NotFound, code="revision_not_found"):
    """No such branch, tag or commit."""


class FileMissing(NotFound, code="file_missing"):
    """No such file in the repository."""


class RepositoryDisabled(NotFound, code="repository_disabled"):
    """Taken down by the Hub."""


class NoAccess(NotFound, code="no_access", status=403):
    """It is there, but not for this visitor; `url` is the page on the Hub where that can change."""

    def __init__(self, message: str, fix: str, url: str) -> None:
        super().__init__(message, fix)
        self.url = url


class TokenNeeded(NoAccess, code="token_needed"):
    """Gated, and asked without a token."""


class TermsNotAccepted(NoAccess, code="terms_not_accepted"):
    """Gated, and the token's account has not been let in."""


class TokenRefused(NoAccess, code="token_refused"):
    """The token is mistyped, expired or revoked."""


class TokenTooNarrow(NoAccess, code="token_too_narrow"):
    """The token's permissions do not reach that far."""


class Offline(NetworkError, code="offline"):
    """HF_HUB_OFFLINE says not to ask."""


class RateLimited(NetworkError, code="rate_limited", status=429):
    """Too many questions; `wait_seconds` is None where the Hub does not say how long to wait."""

    def __init__(self, message: str, fix: str, wait_seconds: int | None) -> None:
        super().__init__(message, fix)
        self.wait_seconds = wait_seconds


class HubFailed(NetworkError, code="hub_failed"):
    """The Hub answered with an error status of another kind."""


class StorageRefused(NetworkError, code="storage_refused"):
    """The host where the Hub keeps its files refuses one; that says nothing about rights."""


class HubUnreadable(NetworkError, code="hub_unreadable"):
    """The Hub, or something in between, answered what makes no sense."""


class Asked(NamedTuple):
    """What a question was about."""

    repo: str = ""
    revision: str = "main"
    path: str = ""

    @property
    def page(self) -> str:
        """The repository's page on the Hub."""
        return f"{settings().hf_endpoint}/{self.repo}"


class Answer(NamedTuple):
    """What the Hub said; `body` ends where its reader had enough."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def hub_host() -> str:
    """The Hub's host, for people."""
    return urlsplit(settings().hf_endpoint).hostname or "the Hub"


def failure(answer: Answer, asked: Asked) -> BerthError:
    """The error that an answer other than a success means."""
    code, said = answer.headers.get("X-Error-Code", ""), _said(answer)
    if said == DISABLED:
        return RepositoryDisabled(
            f"The Hub has disabled {asked.repo}.", "Choose another repository of this model."
        )
    if code == "GatedRepo" or answer.status in (401, 403):
        return _no_access(answer.status, code, said, asked)
    if answer.status == 404 or code.endswith("NotFound"):
        return _not_found(code, asked)
    if answer.status == 429:
        return _rate_limited(answer.headers)
    return _failed(answer.status, said)


def storage_refused(host: str, status: int, asked: Asked) -> StorageRefused:
    """The error for a refusal by the host that the Hub sends on to."""
    what = f"“{shown(asked.path)}”" if asked.path else "this"
    return StorageRefused(
        f"{host}, where {hub_host()} keeps {what}, answered {status}.",
        "Retry: a new address is asked for. If it stays so, a proxy may hold the host back.",
    )


def unreadable() -> HubUnreadable:
    """The error for a success that is none."""
    return HubUnreadable(
        f"{hub_host()} answered in a form that cannot be read.",
        "A proxy or a sign-in page of the network may be in between: open "
        f"{settings().hf_endpoint} in a browser, then retry.",
    )


def _no_access(status: int, code: str, said: str, asked: Asked) -> BerthError:
    has_token = settings().hf_token is not None
    if _REFUSED.search(said) or (status == 401 and code == "GatedRepo" and has_token):
        return token_refused()
    if code == "GatedRepo":
        return _gated(asked, has_token)
    if code == "RepoNotFound" or (status == 401 and asked.repo):
        return _repository_not_found(asked, has_token)
    if has_token:
        return TokenTooNarrow(
            f"The Hub token may not read {asked.repo or 'this'}{_quoted(said)}.",
            "Give it read access, or save another one.",
            _token_page(),
        )
    return _failed(status, said)


def token_refused() -> TokenRefused:
    """The error for a token that the Hub does not know."""
    return TokenRefused(
        "The Hub refuses the token: it is mistyped, expired or revoked.",
        "Save a new one, or remove it: public models need none.",
        _token_page(),
    )


def _gated(asked: Asked, has_token: bool) -> NoAccess:
    if has_token:
        return TermsNotAccepted(
            f"{asked.repo} is gated, and the token's account has not been let in.",
            f"Accept its terms at {asked.page} (some authors answer by hand), then retry.",
            asked.page,
        )
    return TokenNeeded(
        f"{asked.repo} is gated: its files are for those who have accepted its terms.",
        f"Accept them at {asked.page}, then save a Hub token of the same account.",
        asked.page,
    )


def _repository_not_found(asked: Asked, has_token: bool) -> RepositoryNotFound:
    if has_token:
        return RepositoryNotFound(
            f"{asked.repo} was not found, or the Hub token may not see it.",
            "Check the name, and that the token's account may read it.",
        )
    return RepositoryNotFound(
        f"{asked.repo} was not found: it does not exist, is private or is gated.",
        "Check the name. For a private or gated repository, save a Hub token that may read it.",
    )


def _not_found(code: str, asked: Asked) -> BerthError:
    if code == "RevisionNotFound":
        return RevisionNotFound(
            f"{asked.repo} has no revision “{shown(asked.revision)}”.",
            "Use main, or a branch, tag or commit that its page on the Hub shows.",
        )
    if code == "EntryNotFound" or (asked.path and code != "RepoNotFound"):
        return FileMissing(
            f"{asked.repo} has no file “{shown(asked.path)}” in “{shown(asked.revision)}”.",
            "Look the repository up again: its files may have changed.",
        )
    if asked.repo:
        return _repository_not_found(asked, settings().hf_token is not None)
    return _failed(404, "")


def _rate_limited(headers: Mapping[str, str]) -> RateLimited:
    limit = _RATE_LIMIT.search(headers.get("RateLimit", ""))
    later = headers.get("Retry-After", "")
    wait = int(limit[1]) if limit else int(later) if re.fullmatch(r"\d{1,6}", later) else None
    hint = "" if settings().hf_token else " With a Hub token the limit is higher."
    return RateLimited(
        f"{hub_host()} has had too many questions from here.",
        f"Retry in {words.duration(wait)}.{hint}" if wait else f"Retry in some minutes.{hint}",
        wait,
    )


def _failed(status: int, said: str) -> HubFailed:
    fix = "Retry in a minute." if status >= 500 else "Retry. If it stays so, check HF_ENDPOINT."
    return HubFailed(f"{hub_host()} answered {status}{_quoted(said)}.", fix)


def _token_page() -> str:
    return f"{settings().hf_endpoint}/settings/tokens"


def _said(answer: Answer) -> str:
    """The Hub's own words: in a header, or in the body."""
    said = answer.headers.get("X-Error-Message", "")
    if not said and answer.body[:1] == b"{":
        try:
            said = json.loads(answer.body).get("error", "")
        except (ValueError, RecursionError):
            return ""
    return said if isinstance(said, str) else ""


def _quoted(said: str) -> str:
    return f": “{shown(said.rstrip('. '), 200)}”" if said else ""
