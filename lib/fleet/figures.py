"""What a list says of each model beside what its engine tells, found for all of them at once."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from lib.core.settings import settings
from lib.engines import llamacpp
from lib.engines.base import Model, State
from lib.engines.llamacpp.measured import Measured
from lib.fleet import actions, removals, served
from lib.fleet.ledger import BESIDE_WEIGHTS, LEAST_BESIDE_BYTES
from lib.fleet.removals import Removal

_ENDING = ".memory"
_KEPT = TypeAdapter(list[Measured])


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
    Order.CONTEXT: lambda one: (-(one.model.context or one.model.context_trained or 0),),
    Order.SPEED: lambda one: (-(one.speed or 0.0),),
    Order.USED: lambda one: (-(one.used_at or 0.0),),
}


def of_all(models: Sequence[Model]) -> list[Figures]:
    """The figures of all of them: two looks at folders and one at the database."""
    going, measured = removals.waiting(), _measured()
    return [_of(model, going.get(model.key), measured) for model in models]


def of_one(model: Model) -> Figures:
    """Of one alone as it is now, without what is remembered of it."""
    return _of(model, removals.of(model), {})._replace(speed=None, used_at=None)


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
        if text in one.model.name.casefold()
        and (not engines or one.model.engine in engines)
        and (not states or one.state in states)
    ]
    key = _ORDERS[order]
    by_name = sorted(found, key=lambda one: (one.model.name.casefold(), one.model.engine))
    if order == Order.NAME:
        return by_name[::-1] if is_reversed else by_name
    return sorted(by_name, key=key, reverse=is_reversed)


def rough_bytes(size_bytes: int) -> int:
    """Memory that a model takes, by its files' size alone."""
    return size_bytes + max(round(BESIDE_WEIGHTS * size_bytes), LEAST_BESIDE_BYTES)


def _of(model: Model, removal: Removal | None, measured: Mapping[str, Measured]) -> Figures:
    before = measured.get(model.name) if model.engine == llamacpp.NAME else None
    rough = 0 if model.is_elsewhere or not model.size_bytes else rough_bytes(model.size_bytes)
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
    )


def state_of(model: Model) -> State:
    """Its engine's word for it, and a start that is only beginning here."""
    return State.STARTING if actions.is_starting(model) else model.state


def _measured() -> dict[str, Measured]:
    """What was measured of each model of the built-in engine; only what is new is read."""
    found: dict[str, Measured] = {}
    with contextlib.suppress(OSError), os.scandir(settings().engines) as entries:
        for entry in entries:
            if entry.name.endswith(_ENDING) and (one := _read(entry.path, _stamp(entry))):
                found[entry.name.removesuffix(_ENDING)] = one
    return found


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    with contextlib.suppress(OSError):
        now = entry.stat()
        return now.st_mtime_ns, now.st_size, now.st_ino
    return 0, 0, 0


@lru_cache(maxsize=4_096)
def _read(path: str, _stamp: tuple[int, int, int]) -> Measured | None:
    """Of several sets of options the one that it ran with last; a file of before has one."""
    with contextlib.suppress(OSError, ValueError):
        text = Path(path).read_bytes()
        found = _KEPT.validate_json(text if text.startswith(b"[") else b"[%b]" % text)
        return next(iter(found), None)
    return None
