"""Starting, stopping and removing models, whichever way it was asked: here it is checked who may.

A page does not wait for the loading: that goes on in a thread. What a page needs to know afterwards
stands in the engine's own records; only an error that came before there was a record is kept here,
until the next try.
"""

import threading

from lib.core.access import (
    Action,
    Role,
    carried,
    require,
    role,
)
from lib.core.errors import BerthError
from lib.engines import engine_of
from lib.engines.base import Model, StartOptions
from lib.sharing import limits

_starting: set[str] = set()
_failures: dict[str, BerthError] = {}


def start(model: Model, options: StartOptions) -> None:
    """Load the model and return when it answers."""
    require(Action.RUN)
    engine_of(model).start(model.name, options)


def load(model: Model, options: StartOptions) -> None:
    """The same for a conversation with it, which guests may begin where the owner lets them.

    How it is loaded for them, with how much memory, is not theirs to choose.
    """
    limits.require_loading(model)
    wanted = options if role() == Role.OWNER else StartOptions()
    engine_of(model).start(model.name, wanted)


def stop(model: Model) -> None:
    """Unload the model and return when it is gone; nothing happens where it does not run."""
    require(Action.RUN)
    engine_of(model).stop(model.name)


def remove(model: Model) -> None:
    """Stop the model and delete its files."""
    require(Action.REMOVE)
    engine_of(model).remove(model.name)


def start_soon(model: Model, options: StartOptions | None = None) -> None:
    """Begin to load the model; pressing twice begins once."""
    _begin(model, options or StartOptions(), stops_first=False)


def restart_soon(model: Model) -> None:
    """Begin to unload the model and to load it again, as its service says."""
    _begin(model, StartOptions(), stops_first=True)


def _begin(model: Model, options: StartOptions, *, stops_first: bool) -> None:
    require(Action.RUN)
    key = _key(model)
    if key in _starting:
        return
    _starting.add(key)
    _failures.pop(key, None)
    arguments = (key, model, options, stops_first)
    threading.Thread(
        target=carried(_start), args=arguments, name=f"start-{key}", daemon=True
    ).start()


def is_starting(model: Model) -> bool:
    """Has this dashboard a start of it under way?"""
    return _key(model) in _starting


def failure(model: Model) -> BerthError | None:
    """Why the last start failed, until the next one."""
    return _failures.get(_key(model))


def _start(key: str, model: Model, options: StartOptions, stops_first: bool) -> None:
    try:
        if stops_first:
            stop(model)
        start(model, options)
    except BerthError as error:
        _failures[key] = error
    finally:
        _starting.discard(key)


def _key(model: Model) -> str:
    return f"{model.engine}/{model.name}"
