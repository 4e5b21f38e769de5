"""What the Hub's answers have told in passing: its time, and whether it took the token.

Kept in memory, of this process; nothing is asked for it.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256

from lib.core.settings import settings

_skew: float | None = None
_refused: set[str] = set()
_accepted: dict[str, float] = {}  # epoch seconds, by token


def answer(headers: Mapping[str, str]) -> None:
    """An answer came: its Date stands beside this machine's clock."""
    global _skew
    try:
        told = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError, TypeError):
        return
    if not headers.get("Age"):  # what a cache kept has the time of then
        _skew = told - time.time()


def clock_skew() -> float | None:
    """By how many seconds the Hub's clock was ahead of this one; None before it has answered."""
    return _skew


def token_was(is_refused: bool) -> None:
    """The token that is used now did well, or was refused."""
    token = settings().hf_token
    if token is None:
        return
    mark = sha256(token.get_secret_value().encode()).hexdigest()[:16]
    if is_refused:
        _refused.add(mark)
        return
    _refused.discard(mark)
    _accepted[mark] = time.time()


def was_refused(mark: str) -> bool:
    """Was the token of this mark refused, and not taken since? A mark begins its SHA-256."""
    return mark in _refused


def accepted_at(mark: str) -> float:
    """When it did well last, in epoch seconds; 0 where it has not."""
    return _accepted.get(mark, 0.0)
