"""What the Hub's answers have told in passing: that it answers, its time, and the token's fate.

Kept in memory, of this process; nothing is asked for it.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import NamedTuple

from lib.core.settings import settings


class Standing(NamedTuple):
    """How the Hub was found the last time that somebody asked it; nothing where nobody has."""

    answered: float = 0.0  # epoch seconds of the last answer
    asked: float = 0.0  # of the last question that was answered, or was not
    problem: str = ""  # why the last one was not


_standing = Standing()
_skew: float | None = None
_refused: set[str] = set()
_accepted: dict[str, float] = {}  # epoch seconds, by token


def answer(headers: Mapping[str, str]) -> None:
    """An answer came: its Date stands beside this machine's clock."""
    global _skew, _standing
    _standing = Standing(time.time(), time.time())
    try:
        told = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError, TypeError):
        return
    if not headers.get("Age"):  # what a cache kept has the time of then
        _skew = told - time.time()


def silence(problem: str) -> None:
    """No answer came, for this reason."""
    global _standing
    _standing = Standing(_standing.answered, time.time(), problem)


def standing() -> Standing:
    """As far as is known; nobody is asked."""
    return _standing


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
