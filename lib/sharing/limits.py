"""What guests may ask of the models: the owner's limits, checked before a reply begins.

Those from one address count as one guest, so that whoever signs in again gains nothing.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from lib.core import words
from lib.core.access import (
    Action,
    Actor,
    Role,
    current,
    require,
)
from lib.core.access import role as acting_role
from lib.core.errors import Conflict, Forbidden
from lib.core.preferences import GuestLimits, preferences
from lib.core.rate import Rate
from lib.engines.base import ChatOptions, Model, State
from lib.sharing import logins

MINUTE_SECONDS = 60.0
PATIENCE_SECONDS = 2.0  # a reply that was stopped for this one may need a moment to end

TELL_SECONDS = 1.0

Waits = Callable[[float], bool]  # told the seconds that are left; False: nobody waits any more

_asked = Rate(MINUTE_SECONDS)
_under_way: list[Actor] = []  # who asked for the replies that are being written
_waiting: list[Actor] = []  # whose next question waits for its minute
_turns = threading.Condition()


class TooMany(Conflict, code="too_many", status=429):
    """More than the owner allows at a time."""


class TooOften(TooMany):
    """More than the owner allows in a minute; the next one may go in so many `seconds`."""

    def __init__(self, message: str, fix: str = "", seconds: float = 0.0) -> None:
        super().__init__(message, fix)
        self.seconds = seconds


@contextlib.contextmanager
def admitted(
    model: Model, options: ChatOptions, waits: Waits | None = None
) -> Iterator[ChatOptions]:
    """The options for a reply that whoever acts now asks for; inside, it counts as under way.

    Where it is the next minute's, it waits for that: `waits` is told the seconds every second, and
    says whether to go on. One question of a guest waits; without `waits` none does. Forbidden or
    TooMany where it may not begin, not even in a moment.
    """
    actor = current()
    with _turns:
        left = _admit_soon(actor, model, options, waits)
        _under_way.append(actor)
    try:
        yield left
    finally:
        with _turns:
            _under_way.remove(actor)
            _turns.notify_all()


def _admit_soon(
    actor: Actor, model: Model, options: ChatOptions, waits: Waits | None
) -> ChatOptions:
    """Asks again whenever another reply has ended, or its own minute may have passed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return admit(actor.role, actor.who, model, options, _under_way)
        except TooOften as error:
            if waits is None or actor in _waiting:
                raise
            _wait_for_minute(actor, error, waits)
            deadline = time.monotonic() + PATIENCE_SECONDS
        except TooMany:
            if not _turns.wait(max(deadline - time.monotonic(), 0)):
                raise


def _wait_for_minute(actor: Actor, error: TooOften, waits: Waits) -> None:
    """TooOften where nobody waits for it any more; the condition is released meanwhile."""
    over_at = time.monotonic() + error.seconds
    _waiting.append(actor)
    try:
        while (left := over_at - time.monotonic()) > 0:
            if not waits(left):
                raise error
            _turns.wait(min(left, TELL_SECONDS))
    finally:
        _waiting.remove(actor)


def admit(
    role: Role, who: str, model: Model, options: ChatOptions, running: Sequence[Actor]
) -> ChatOptions:
    """The options for a reply that may begin, counted; `running` are the askers of those under way.

    Forbidden or TooMany where it may not. The owner has no limits.
    """
    if role == Role.OWNER:
        return options
    limits, same = preferences().guests, logins.neighbours(who)
    running = [Actor(one.role, who) if one.who in same else one for one in running]
    place = f"at {logins.address_of(who)}"  # no login's id looks like this
    keys = {who, place} - {"at "}
    asked_lately = max(_asked.lately(key) for key in keys)
    wait = max(_asked.wait(key, limits.questions_per_minute) for key in keys)
    admitted = within(limits, who, model, options, running, asked_lately, wait)
    for key in keys:
        _asked.count(key)
    logins.asked(who)
    return admitted


def within(
    limits: GuestLimits,
    who: str,
    model: Model,
    options: ChatOptions,
    running: Sequence[Actor],
    asked_lately: int = 0,
    wait_seconds: float = 0.0,
) -> ChatOptions:
    """What these limits leave of a guest's request; pure. `asked_lately`: in the last minute."""
    _check_model(limits, model)
    guests = [actor.who for actor in running if actor.role == Role.GUEST]
    if guests.count(who) >= limits.replies_each:
        raise TooMany("Your last question is still being answered.", "Wait for it, or stop it.")
    if len(guests) >= limits.replies_of_all:
        raise TooMany("The models are busy with other guests.", "Try again in a moment.")
    if asked_lately >= limits.questions_per_minute:
        often = words.count(asked_lately, "time")
        raise TooOften(
            f"You have asked {often} in the last minute, which is the limit here.",
            f"The next question can go in {words.duration(max(1, math.ceil(wait_seconds)))}.",
            wait_seconds,
        )
    most = min(options.max_tokens or limits.tokens_per_reply, limits.tokens_per_reply)
    return options.model_copy(update={"max_tokens": most})


def may_use(role: Role, model: Model) -> bool:
    """Is this model for this role? For a page, which offers only what may be used."""
    try:
        if role != Role.OWNER:
            _check_model(preferences().guests, model)
    except Forbidden:
        return False
    return True


def usable(models: Sequence[Model]) -> list[Model]:
    """Those that whoever acts now may chat with."""
    return [model for model in models if may_use(acting_role(), model)]


def require_loading(model: Model) -> None:
    """Forbidden unless whoever acts now may have the model loaded by asking it."""
    require(Action.CHAT)
    if acting_role() != Role.OWNER:
        _check_model(preferences().guests, model)


def _check_model(limits: GuestLimits, model: Model) -> None:
    # What is asked of another machine may cost money there: the owner has to name it.
    if (limits.models or model.is_elsewhere) and model.key not in limits.models:
        raise Forbidden(f"The model “{model.name}” is not for guests.", "Choose another model.")
    if model.state != State.READY and not limits.may_load:
        raise Forbidden(
            f"The model “{model.name}” does not run, and guests cannot start it.",
            "Choose one that runs, or ask the owner to start it.",
        )
