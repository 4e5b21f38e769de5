"""Who may do what.

Nobody acts by default. The gate says who sends a request, a page run is asked who looks at it, and
a process that works for the owner alone, like a command line, states that at its start.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import StrEnum
from typing import NamedTuple, ParamSpec, TypeVar

from lib.core.errors import Forbidden

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


BERTH = "Berth"  # who does what the owner has decided, at its time


class Role(StrEnum):
    """Who somebody is to this machine."""

    OWNER = "owner"
    GUEST = "guest"
    PROGRAM = "program"  # one with an API key: it reaches the models, and nothing else


class Action(StrEnum):
    """What somebody wants to do, as the refusal names it."""

    LOOK = "look at this"
    CHAT = "chat with models"
    RUN = "start or stop models"
    REMOVE = "remove models"
    DEPLOY = "deploy models"
    CONFIGURE = "change settings"
    REQUESTS = "see and stop requests"


class Actor(NamedTuple):
    """Somebody who does something; what `who` began, only the same `who` may read."""

    role: Role
    who: str = ""  # the id of the owner's browser, of a guest's login, or of a program's API key


class NotSignedIn(Forbidden, code="not_signed_in", status=401):
    """Nobody knows who this is."""


_GUESTS_MAY = frozenset({Action.LOOK, Action.CHAT})  # and programs with a key
_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
_visitor: Callable[[], Actor | None] | None = None
_process: Actor | None = None


def current() -> Actor:
    """Whoever acts now, or NotSignedIn."""
    actor = _acting.get() or (_visitor and _visitor()) or _process
    if actor is None:
        raise NotSignedIn(
            "Berth does not know who asks for this.", "Open it at the address that it printed."
        )
    return actor


def role() -> Role:
    """The role of whoever acts now, or NotSignedIn."""
    return current().role


def may(action: Action) -> bool:
    """May whoever acts now do this? For pages, which leave out what nobody could press."""
    try:
        require(action)
    except Forbidden:
        return False
    return True


def require(action: Action) -> None:
    """Forbidden unless whoever acts now may do this. To be called where the action happens."""
    if role() == Role.OWNER or action in _GUESTS_MAY:
        return
    raise Forbidden(f"Only the owner of this machine may {action}.", "Ask the owner to do it.")


@contextlib.contextmanager
def acting(role: Role, who: str = "") -> Iterator[None]:
    """What is done inside, in this task or thread, is done by this one."""
    token = _acting.set(Actor(role, who))
    try:
        yield
    finally:
        _acting.reset(token)


def carried(act: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """`act`, to be run in another thread on behalf of whoever acts now."""
    role, who = current()

    def carrying(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with acting(role, who):
            return act(*args, **kwargs)

    return carrying


def ask_pages(visitor: Callable[[], Actor | None]) -> None:
    """`visitor` tells who looks at the page that runs in the calling thread; None where none."""
    global _visitor
    _visitor = visitor


def own_process() -> None:
    """This process works for the owner alone. Never to be called in the server."""
    global _process
    _process = Actor(Role.OWNER)
