"""Starting, stopping and removing models, whichever way it was asked: here it is checked who may.

A page does not wait for the loading: that goes on in a thread. What a page needs to know afterwards
stands in the engine's own records; only an error that came before there was a record is kept here,
until the next try.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence

from lib.core import activity
from lib.core.access import (
    BERTH,
    Action,
    Role,
    acting,
    carried,
    current,
    require,
    role,
)
from lib.core.activity import Kind
from lib.core.errors import BerthError
from lib.core.preferences import preferences
from lib.engines import engine_of, find_model, llamacpp, titles, variants
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import records
from lib.fleet import ledger, on_demand, removals, rules, tries, use
from lib.sharing import limits

_STOPPED = {"state": State.STOPPED, "memory_bytes": None}
_starting: set[str] = set()
_failures: dict[str, BerthError] = {}


def start(
    model: Model,
    options: StartOptions,
    instead_of: Sequence[str] = (),
    *,
    is_whole: bool = False,
) -> None:
    """Load the model and return when it answers; NoRoom where memory is short.

    What the options leave open is as its settings say, see lib/engines/variants.py; where they are
    whole, nothing is left open.

    Those that it is loaded `instead_of` are stopped, if that is needed and none of them is in use;
    they come back where it cannot be loaded after all.
    """
    require(Action.RUN)
    removals.require_kept(model)
    options = options if is_whole else variants.resolved(model.key, options)
    stopped = _stopped_for(model, options, instead_of)
    try:
        _load(model, options)
    except BerthError as error:
        activity.note(Kind.FAILED, model.name, f"It was not started. {error.message}")
        _come_back(stopped)
        raise


def _load(model: Model, options: StartOptions, why: str = "") -> None:
    _taken_over(model)
    with ledger.admitted(model, options), use.using(model.name):
        removals.require_kept(model)  # once more: to be admitted may have taken its time
        engine_of(model).start(model.name, options)
    if model.state != State.READY:
        activity.note(Kind.STARTED, model.name, why)


def _come_back(stopped: Sequence[tuple[Model, StartOptions]]) -> None:
    for each, as_before in stopped:
        with contextlib.suppress(BerthError):
            _load(each, as_before)


def _stopped_for(
    model: Model, options: StartOptions, named: Sequence[str]
) -> list[tuple[Model, StartOptions]]:
    """What had to go, and was named, as it was loaded; nothing goes before it is known to help."""
    judged = ledger.judge(model, options) if named else None
    if judged is None or judged.has_room:
        return []
    if not judged.would_go or {each.name for each in judged.would_go} - {*named}:
        raise judged.objection
    found = [(each, _options_of(each)) for each in judged.would_go]
    for each, _ in found:
        engine_of(each).stop(each.name)
        activity.note(Kind.STOPPED, each.name, f"to make room for {model.name}")
    return [(each.model_copy(update=_STOPPED), as_before) for each, as_before in found]


def _options_of(model: Model) -> StartOptions:
    """How it was loaded, as far as anybody knows."""
    record = records.read(model.name) if model.engine == llamacpp.NAME else None
    return record.options if record else StartOptions(context=model.context)


def _taken_over(model: Model) -> None:
    """By a person: how often Berth has started it again by itself counts no more."""
    if model.engine == llamacpp.NAME and current().who != BERTH:
        tries.forget(model.name)


def load(model: Model, options: StartOptions) -> None:
    """The same for a conversation with it, which guests may begin where the owner lets them.

    How it is loaded for them, with how much memory, is not theirs to choose.
    """
    limits.require_loading(model)
    removals.require_kept(model)
    wish = options if role() == Role.OWNER else StartOptions()
    _load(model, variants.resolved(model.key, wish))


def load_on_demand(model: Model, key: str = "") -> None:
    """The same for a program that has named it, where the owner lets programs do so.

    One that is being loaded goes on as it was begun. What nobody uses makes room for it, where the
    owner has said so, and comes back where it cannot be loaded after all.
    """
    on_demand.require_allowed(model, key)
    removals.require_kept(model)
    is_under_way = model.state == State.STARTING
    usual = variants.resolved(model.key, StartOptions())
    options = _options_of(model) if is_under_way else usual
    with acting(Role.OWNER, BERTH):
        stopped = _room_made(model, options)
        try:
            _load(model, options, "a program asked for it")
        except BerthError:
            _come_back(stopped)
            raise


def _room_made(model: Model, options: StartOptions) -> list[tuple[Model, StartOptions]]:
    if not preferences().makes_room_on_demand:
        return []
    would_go = ledger.judge(model, options).would_go
    return _stopped_for(model, options, [each.name for each in would_go])


def stop(model: Model, why: str = "") -> None:
    """Unload the model and return when it is gone; nothing happens where it does not run."""
    require(Action.RUN)
    _taken_over(model)
    engine_of(model).stop(model.name)
    if model.state not in (State.STOPPED, State.FAILED):
        activity.note(Kind.STOPPED, model.name, why, who="Berth" if why else None)


def remove(model: Model) -> None:
    """Stop the model and delete its files, at once; see `removing` for what can be undone."""
    require(Action.REMOVE)
    removals.take_back(model)
    engine_of(model).remove(model.name)
    rules.forget(model)
    variants.forget(model.key)
    titles.forget(model.key)
    activity.note(Kind.REMOVED, model.name)


def start_soon(
    model: Model,
    options: StartOptions | None = None,
    instead_of: Sequence[str] = (),
    *,
    is_whole: bool = False,
) -> None:
    """Begin to load the model, see `start`; pressing twice begins once."""
    wanted = options or StartOptions()
    _begin(model, lambda: start(model, wanted, instead_of, is_whole=is_whole))


def restart_soon(model: Model) -> None:
    """Begin to unload the model and to load it again, as its service says."""

    def restart() -> None:
        stop(model)
        start(find_model(model.name, model.engine), StartOptions())

    _begin(model, restart)


def _begin(model: Model, act: Callable[[], None]) -> None:
    require(Action.RUN)
    key = model.key
    if key in _starting:
        return
    _starting.add(key)
    _failures.pop(key, None)
    work = carried(_begun)
    threading.Thread(target=work, args=(key, act), name=f"start-{key}", daemon=True).start()


def is_starting(model: Model) -> bool:
    """Has this dashboard a start of it under way?"""
    return model.key in _starting


def failure(model: Model) -> BerthError | None:
    """Why the last start failed, until the next one."""
    return _failures.get(model.key)


def _begun(key: str, act: Callable[[], None]) -> None:
    try:
        act()
    except BerthError as error:
        _failures[key] = error
    finally:
        _starting.discard(key)
