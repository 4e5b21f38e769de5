"""How far a load has come, and how much of a prompt has been read, as far as anybody tells."""

import contextlib
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from lib.core.errors import BerthError
from lib.core.http import request_json
from lib.engines import llamacpp, room
from lib.engines.base import Model, Upstream
from lib.engines.llamacpp import records
from lib.engines.openai_api import authorization
from lib.processes.background import memory_bytes

ASK_SECONDS = 1.0


class Read(NamedTuple):
    """Tokens of a prompt."""

    done: int
    total: int


class _Slot(BaseModel):
    is_processing: bool
    n_prompt_tokens: int = 0
    n_prompt_tokens_cache: int = 0  # known from before
    n_prompt_tokens_processed: int = 0  # of the rest, told after each batch


_SLOTS = TypeAdapter(list[_Slot])


def loaded_percent(model: Model) -> int | None:
    """Of the memory that the load will take, how much it has; never 100, as it is not over."""
    record = records.read(model.name) if model.engine == llamacpp.NAME else None
    wanted = next((one.bytes for one in room.loads() if _is_of(one, model)), 0)
    if record is None or not record.pid or not wanted:
        return None
    return min(99, round(100 * (memory_bytes(record) or 0) / wanted))


def _is_of(load: room.Loading, model: Model) -> bool:
    return (load.engine, load.model) == (model.engine, model.name)


def prompt_read(to: Upstream) -> Read | None:
    """By the built-in engine, where it has one request alone: it does not say whose it is."""
    if to.engine != llamacpp.NAME:
        return None
    url = f"{to.base_url.removesuffix('/v1')}/slots"
    with contextlib.suppress(BerthError, ValidationError):
        told = request_json("GET", url, None, authorization(to.key), seconds=ASK_SECONDS)
        busy = [slot for slot in _SLOTS.validate_python(told) if slot.is_processing]
        if len(busy) == 1 and busy[0].n_prompt_tokens:
            known = busy[0].n_prompt_tokens_cache + busy[0].n_prompt_tokens_processed
            return Read(min(known, busy[0].n_prompt_tokens), busy[0].n_prompt_tokens)
    return None
