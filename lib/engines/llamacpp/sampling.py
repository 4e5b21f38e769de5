"""How llama.cpp's server draws a reply: the names of its fields, and its own values for them."""

import contextlib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lib.core.errors import BerthError
from lib.engines.base import ChatOptions, Sampling
from lib.engines.llamacpp import props, records
from lib.engines.llamacpp.records import Record
from lib.engines.openai_api import beyond_openai

FIELDS = {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repeat_penalty"}
MOST_KEPT = 64

_known: dict[tuple[str, int, float], Sampling] = {}  # by child: what it tells stays as it is


class _Params(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None


def fields(options: ChatOptions) -> dict[str, Any]:
    """What was chosen beside OpenAI's fields, as this engine names it."""
    return beyond_openai(options, FIELDS)


def usual(record: Record | None) -> Sampling:
    """The values of a child that is ready; asked for once, and never for longer than a moment."""
    if record is None or record.context is None:
        return Sampling()
    child = (record.model, record.pid, record.started_at)
    if child not in _known:
        with contextlib.suppress(BerthError, ValidationError):
            told = props.ask_quickly(record.url, records.key(record.model))
            params = _Params.model_validate(told.default_generation_settings.params)
            while len(_known) >= MOST_KEPT:
                _known.pop(next(iter(_known)))
            _known[child] = Sampling(**_rounded(params))
    return _known.get(child, Sampling())


def _rounded(params: _Params) -> dict[str, float | None]:
    """The engine has them as 32-bit numbers: 0.8 comes as 0.800000011920929."""
    return {
        name: None if value is None else round(value, 4)
        for name, value in params.model_dump().items()
    }
