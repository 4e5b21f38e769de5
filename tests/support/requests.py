"""Requests that are over, for tests of their log."""

from typing import Any

from lib.core import database
from lib.requests import content, log
from lib.requests.log import Entry, Outcome, Row

NOON = 1_790_000_000.0


def entry(**more: Any) -> Entry:
    """One that went well, but for what is said otherwise."""
    usual = Entry(
        id="a-1",
        at=NOON,
        key="",
        who="a program",
        model="fake",
        route="/v1/chat/completions",
        prompt=10,
        reply=20,
        first=0.25,
        seconds=1.5,
        outcome=Outcome.DONE,
        status=200,
        code="",
    )
    return usual._replace(**more)


def lay(*entries: Entry) -> None:
    """They stand in the log of this home."""
    with database.opened(log.SCHEMA + content.SCHEMA) as file:
        file.executemany(log.ADD, [log.values_of(one) for one in entries])


def noted(*entries: Entry) -> None:
    """They went the usual way."""
    for one in entries:
        log.note(one)
    log.settle()


def found(**chosen: Any) -> list[Row]:
    """What the log has of these, the newest first."""
    return log.page(log.Filter(**chosen), limit=log.MOST_AT_ONCE)
