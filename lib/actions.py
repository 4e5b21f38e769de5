"""Loading and removing models without making a page wait: the work goes on in a thread.

What a page needs to know afterwards stands in the engine's own records; only an error that came
before there was a record is kept here, until the next try.
"""

import threading

from lib.engines import engine_of
from lib.engines.base import Model, StartOptions
from lib.errors import BerthError

_starting: set[str] = set()
_failures: dict[str, BerthError] = {}


def start_soon(model: Model, options: StartOptions | None = None) -> None:
    """Begin to load the model; pressing twice begins once."""
    key = _key(model)
    if key in _starting:
        return
    _starting.add(key)
    _failures.pop(key, None)
    arguments = (key, model, options or StartOptions())
    threading.Thread(target=_start, args=arguments, name=f"start-{key}", daemon=True).start()


def is_starting(model: Model) -> bool:
    """Has this dashboard a start of it under way?"""
    return _key(model) in _starting


def failure(model: Model) -> BerthError | None:
    """Why the last start failed, until the next one."""
    return _failures.get(_key(model))


def _start(key: str, model: Model, options: StartOptions) -> None:
    try:
        engine_of(model).start(model.name, options)
    except BerthError as error:
        _failures[key] = error
    finally:
        _starting.discard(key)


def _key(model: Model) -> str:
    return f"{model.engine}/{model.name}"
