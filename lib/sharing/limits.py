"""What guests may ask of the models: the owner's limits, checked before a reply begins.

Those from one address count as one guest, so that whoever signs in again gains nothing.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

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

_asked = Rate(MINUTE_SECONDS)
_under_way: list[Actor] = []  # who asked for the replies that are being written
_turns = threading.Condition()


class TooMany(Conflict, code="too_many", status=429):
    """More than the owner allows at a time."""


@contextlib.contextmanager
def admitted(model: Model, options: ChatOptions) -> Iterator[ChatOptions]:
    """The options for a reply that whoever acts now asks for; inside, it counts as under way.

    Forbidden or TooMany where it may not begin, not even in a moment.
    """
    actor, deadline = current(), time.monotonic() + PATIENCE_SECONDS
    with _turns:
        left = _admit_before(deadline, actor, model, options)
        _under_way.append(actor)
    try:
        yield left
    finally:
        with _turns:
            _under_way.remove(actor)
            _turns.notify_all()


def _admit_before(deadline: float, actor: Actor, model: Model, options: ChatOptions) -> ChatOptions:
    while True:
        try:
            return admit(actor.role, actor.who, model, options, _under_way)
        except TooMany:
            if not _turns.wait(max(deadline - time.monotonic(), 0)):
                raise


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
    asked_lately = max(_asked.lately(who), _asked.lately(place))
    admitted = within(limits, who, model, options, running, asked_lately)
    for key in {who, place} - {"at "}:
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
) -> ChatOptions:
    """What these limits leave of a guest's request; pure. `asked_lately`: in the last minute."""
    _check_model(limits, model)
    guests = [actor.who for actor in running if actor.role == Role.GUEST]
    if guests.count(who) >= limits.replies_each:
        raise TooMany("Your last question is still being answered.", "Wait for it, or stop it.")
    if len(guests) >= limits.replies_of_all:
        raise TooMany("The models are busy with other guests.", "Try again in a moment.")
    if asked_lately >= limits.questions_per_minute:
        raise TooMany(
            f"You have asked {asked_lately} times in the last minute, which is the limit here.",
            "Wait a moment, then ask again.",
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
