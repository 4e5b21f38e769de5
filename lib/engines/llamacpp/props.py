"""What llama.cpp's server tells about itself once it is ready, to those who have its key."""

import contextlib
import time
from typing import Any

from pydantic import BaseModel, Field, SecretStr

from lib.core.errors import BerthError, EngineError
from lib.core.http import get_json, request_json
from lib.engines.openai_api import authorization

ASK_SECONDS = 0.4  # a page waits no longer for what should come at once
ASK_NEXT_SECONDS = 0.03  # nor so long for the next one, where one is silent already
SILENT_SECONDS = 3.0  # for so long nothing more is asked of what took longer
COUNT_SECONDS = 2.0

_silent_until: dict[str, float] = {}  # by the monotonic clock


class _Generation(BaseModel):
    n_ctx: int
    params: dict[str, Any] = Field(default_factory=dict)  # how replies are drawn


class _Modalities(BaseModel):
    vision: bool = False


class _Tokens(BaseModel):
    tokens: list[int]


class Props(BaseModel):
    """Of all that it tells, what Berth uses."""

    model_alias: str
    default_generation_settings: _Generation
    modalities: _Modalities | None = None  # of versions that tell it

    @property
    def context(self) -> int:
        """Tokens per slot, as they were loaded."""
        return self.default_generation_settings.n_ctx


def ask(url: str, key: SecretStr | None) -> Props:
    """EngineError while it loads; ValidationError where it is older than November 2025."""
    return Props.model_validate(get_json(f"{url}/props", authorization(key)))


def ask_quickly(url: str, key: SecretStr | None) -> Props:
    """The same for whoever cannot wait: one that hangs is asked once in a while, for a moment."""
    began = time.monotonic()
    seconds = _patience(url, began)
    try:
        said = request_json("GET", f"{url}/props", None, authorization(key), seconds=seconds)
    except EngineError:
        if time.monotonic() - began >= seconds:
            _silent_until[url] = time.monotonic() + SILENT_SECONDS
        raise
    _silent_until.pop(url, None)
    return Props.model_validate(said)


def _patience(url: str, now: float) -> float:
    """How long to wait for this one, so that several that hang cost hardly more than one."""
    if now < _silent_until.get(url, 0.0):
        raise EngineError(f"{url} did not answer just now.", "Try again in a moment.")
    is_one_silent = any(now < until for until in tuple(_silent_until.values()))
    return ASK_NEXT_SECONDS if is_one_silent else ASK_SECONDS


def count(url: str, key: SecretStr | None, text: str) -> int | None:
    """Tokens of a text, without those that a template adds; None where it does not tell."""
    body = {"content": text}
    with contextlib.suppress(BerthError, ValueError):  # ValueError: no UTF-8, or no tokens
        said = request_json(
            "POST", f"{url}/tokenize", body, authorization(key), seconds=COUNT_SECONDS
        )
        return len(_Tokens.model_validate(said).tokens)
    return None
