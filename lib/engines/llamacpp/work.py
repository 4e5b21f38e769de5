"""Whether a child works just now, by its own word: whoever asked it, through Berth or past it."""

import contextlib

from pydantic import BaseModel, TypeAdapter, ValidationError

from lib.core.errors import BerthError
from lib.core.http import request_json
from lib.core.values import Frozen
from lib.engines.llamacpp import records
from lib.engines.llamacpp.props import ASK_SECONDS
from lib.engines.openai_api import authorization


class Work(Frozen):
    """What its slots tell."""

    is_busy: bool
    tasks: tuple[int, ...] = ()  # the number of each slot's last task: others when it was used


class _Slot(BaseModel):
    is_processing: bool
    id_task: int = -1


_SLOTS = TypeAdapter(list[_Slot])


def work_of(model: str) -> Work | None:
    """None where it does not run, or does not tell: then nobody knows that it is idle."""
    record = records.read(model)
    if record is None or not record.is_alive:
        return None
    with contextlib.suppress(BerthError, ValidationError):
        key = authorization(records.key(model))
        told = request_json("GET", f"{record.url}/slots", None, key, seconds=ASK_SECONDS)
        slots = _SLOTS.validate_python(told)
        busy = any(slot.is_processing for slot in slots)
        return Work(is_busy=busy, tasks=tuple(slot.id_task for slot in slots))
    return None
