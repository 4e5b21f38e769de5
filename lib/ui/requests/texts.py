"""How requests are said: who asked, by which way, and how it ended."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from lib.core.access import BERTH
from lib.requests.log import Outcome, Row
from lib.requests.running import State

ROUTES = {"chat": "chat page"}
Colour = Literal["gray", "orange", "blue", "green"]
OVER: tuple[str, Colour] = ("Over", "gray")
STATES: dict[State, tuple[str, Colour]] = {
    State.WAITING: ("Waiting", "gray"),
    State.LOADING: ("Loading", "orange"),
    State.READING: ("Reading the prompt", "blue"),
    State.ANSWERING: ("Answering", "green"),
}
OUTCOMES = {
    Outcome.DONE: "Done",
    Outcome.FAILED: "Failed",
    Outcome.LEFT: "Client left",
    Outcome.STOPPED: "Stopped by you",
}
NOT_LET_IN = "not let in"


def who(name: str, key: str = "", route: str = "") -> str:
    """Who asked, as the owner reads it."""
    if name == BERTH:
        return "Berth’s own test"
    if not name and not key:
        return "you" if route in ROUTES else NOT_LET_IN
    return "a guest" if name == "guest" else name or key


def sender(chosen: tuple[str, str]) -> str:
    """The same of a key and a name to choose from: nobody's name is the owner, and strangers."""
    key, name = chosen
    return who(name, key) if name or key else "you, and who was not let in"


def senders(every: Sequence[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """All of them by what they are called; of two keys of one name, with their ids."""
    names = Counter(sender(one) for one in every)
    return {
        f"{sender(one)} ({one[0]})" if names[sender(one)] > 1 and one[0] else sender(one): one
        for one in every
    }


def ended(row: Row) -> str:
    """How it ended, with the status that its client got for that."""
    if row.outcome != Outcome.FAILED:
        return OUTCOMES[row.outcome]
    status = f" ({row.status})" if row.status >= 400 else ""
    return f"{OUTCOMES[row.outcome]}{status}"


def route(name: str) -> str:
    """The way it came by."""
    return ROUTES.get(name, name)
