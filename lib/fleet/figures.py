"""What a list says of each model beside what its engine tells, found for all of them at once."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from lib.core.settings import settings
from lib.engines import llamacpp, variants
from lib.engines.base import Model, State
from lib.engines.llamacpp import measured
from lib.engines.llamacpp.launch import context_of
from lib.engines.llamacpp.measured import Measured
from lib.engines.variants import Variants
from lib.fleet import actions, ledger, removals, served
from lib.fleet.removals import Removal

_ENDING = ".memory"


class Figures(NamedTuple):
    """One model with what is remembered of it."""

    model: Model
    state: State  # with a start that this dashboard has under way
    expected_bytes: int  # of memory; 0 where nobody can tell
    is_rough: bool  # by its size alone
    taken_bytes: int  # now, or when it last ran; 0 where nobody has measured it
    speed: float | None  # tokens a second of its last answer
    used_at: float | None  # epoch seconds
    removal: Removal | None
    context: int | None = None  # tokens of a conversation: as it is loaded, or as it will be

    @property
    def key(self) -> str:
        """One text for each model of each engine."""
        return self.model.key


class Order(StrEnum):
    """What a list is sorted by, as it says itself."""

    USUAL = "Running first"
    NAME = "Name"
    ENGINE = "Engine"
    DISK = "Disk"
    MEMORY = "Memory"
    CONTEXT = "Context"
    SPEED = "Speed"
    USED = "Last used"


_Key = Callable[[Figures], tuple[object, ...]]
_ORDERS: Mapping[Order, _Key] = {
    Order.USUAL: lambda one: (one.state == State.STOPPED, one.state == State.FAILED),
    Order.NAME: lambda one: (),
    Order.ENGINE: lambda one: (one.model.engine, one.model.place),
    Order.DISK: lambda one: (-(one.model.size_bytes or 0),),
    Order.MEMORY: lambda one: (-(one.taken_bytes or one.expected_bytes),),
    Order.CONTEXT: lambda one: (-(one.context or 0),),
    Order.SPEED: lambda one: (-(one.speed or 0.0),),
    Order.USED: lambda one: (-(one.used_at or 0.0),),
}


def of_all(models: Sequence[Model]) -> list[Figures]:
    """The figures of all of them: two looks at folders and one at the database."""
    going, taken, how = removals.waiting(), _taken(), variants.every()
    return [_of(model, going.get(model.key), taken, how) for model in models]


def of_one(model: Model) -> Figures:
    """Of one alone as it is now, without what is remembered of it."""
    one = _of(model, removals.of(model), {}, variants.every())
    return one._replace(speed=None, used_at=None)


def arranged(
    every: Sequence[Figures],
    wanted: str = "",
    engines: Sequence[str] = (),
    states: Sequence[State] = (),
    order: Order = Order.USUAL,
    is_reversed: bool = False,
) -> list[Figures]:
    """Those whose name has `wanted` in it, of these engines and states, none meaning all; pure.

    The largest, fastest and latest come first, where it is not reversed.
    """
    text = wanted.strip().casefold()
    found = [
        one
        for one in every
        if (text in one.model.name.casefold() or text in one.model.title.casefold())
        and (not engines or one.model.engine in engines)
        and (not states or one.state in states)
    ]
    key = _ORDERS[order]
    by_name = sorted(found, key=lambda one: (one.model.called.casefold(), one.model.engine))
    if order == Order.NAME:
        return by_name[::-1] if is_reversed else by_name
    return sorted(by_name, key=key, reverse=is_reversed)


def context(model: Model, how: Variants) -> int | None:
    """Tokens of one conversation: as it is loaded, or as it will be."""
    if model.context is not None:
        return model.context
    if model.engine == llamacpp.NAME and not model.problem:
        return context_of(how.options.context, model.context_trained, model.task)
    return model.context_trained


def _of(
    model: Model,
    removal: Removal | None,
    taken: Mapping[str, Measured],
    how: Mapping[str, Variants],
) -> Figures:
    before = taken.get(model.name) if model.engine == llamacpp.NAME else None
    size = 0 if model.is_elsewhere else model.size_bytes
    rough = ledger.rough_bytes(size) if size else 0
    return Figures(
        model=model,
        state=state_of(model),
        expected_bytes=before.expected if before else rough,
        is_rough=before is None,
        taken_bytes=model.memory_bytes or (before.taken if before else 0),
        speed=served.last_speed(model.engine, model.name)
        or (before.tokens_per_second if before else None),
        used_at=served.last_used(model.engine, model.name),
        removal=removal,
        context=context(model, how.get(model.key, Variants())),
    )


def state_of(model: Model) -> State:
    """Its engine's word for it, and a start that is only beginning here."""
    return State.STARTING if actions.is_starting(model) else model.state


def _taken() -> dict[str, Measured]:
    """What was measured of each model of the built-in engine; only what is new is read."""
    found: dict[str, Measured] = {}
    with contextlib.suppress(OSError), os.scandir(settings().engines) as entries:
        for entry in entries:
            name = entry.name.removesuffix(_ENDING)
            if name != entry.name and (one := _last(name, entry.path, _stamp(entry))):
                found[name] = one
    return found


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    with contextlib.suppress(OSError):
        now = entry.stat()
        return now.st_mtime_ns, now.st_size, now.st_ino
    return 0, 0, 0


@lru_cache(maxsize=4_096)
def _last(model: str, _path: str, _stamp: tuple[int, int, int]) -> Measured | None:
    """Of several sets of options the one that it ran with last."""
    return next(iter(measured.kept(model)), None)
