"""Quick questions to a server of the OpenAI dialect, vLLM or another, with short time limits."""

import contextlib
from typing import Any

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from lib.core.errors import BerthError, EngineError
from lib.core.http import Refused, get_text, request_json
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.openai_api import authorization, explained
from lib.engines.vllm import metrics
from lib.engines.vllm.metrics import Figures

QUICK_SECONDS = 2.0
COUNT_SECONDS = 2.0
TOKEN_SECONDS = 30.0  # so long an engine may need for one token before it counts as stuck
MOST_MODELS = 500


class Listed(Frozen):
    """A model that a server lists."""

    id: str
    context: int | None = None


class _Meta(BaseModel):
    n_ctx: int | None = None


class _Row(BaseModel):
    id: str = Field(max_length=1_000)
    max_model_len: int | None = None  # vLLM's name
    meta: _Meta | None = None  # llama-server's


class _Listing(BaseModel):
    data: list[Any]


class _Version(BaseModel):
    version: str


class _Count(BaseModel):
    count: int = Field(ge=0)


_NO_LIST = EngineError(
    "What answers there does not list models as OpenAI does.",
    "The address ends in /v1 for most servers.",
)


def health(root: str) -> int:
    """The status of /health; 0 where nothing listens, or nothing comes in time."""
    try:
        get_text(f"{root}/health", seconds=QUICK_SECONDS, longest_bytes=65_536)
    except Refused as error:
        return error.http_status
    except BerthError:
        return 0
    return 200


def listed(base_url: str, key: SecretStr | None) -> list[Listed]:
    """What it has; EngineError in words where it does not tell."""
    try:
        text = get_text(f"{base_url}/models", authorization(key), QUICK_SECONDS)
        rows = _Listing.model_validate_json(text).data[:MOST_MODELS]
    except Refused as error:
        raise (_NO_LIST if error.http_status == 404 else explained(error)) from error
    except ValidationError as error:
        raise _NO_LIST from error
    return [row for row in map(_row, rows) if row]


def figures(root: str) -> Figures | None:
    """What vLLM tells of itself; None where it is another server, or does not tell."""
    with contextlib.suppress(BerthError):
        found = metrics.parsed(get_text(f"{root}/metrics", seconds=QUICK_SECONDS))
        return found if found.is_vllm else None
    return None


def version(root: str) -> str:
    """vLLM's version; "" where it does not tell."""
    with contextlib.suppress(BerthError, ValidationError):
        text = get_text(f"{root}/version", seconds=QUICK_SECONDS, longest_bytes=65_536)
        return shown(_Version.model_validate_json(text).version, 40)
    return ""


def token(base_url: str, model: str, key: SecretStr | None) -> None:
    """Have it make one token; EngineError where none comes."""
    body = {"model": model, "prompt": "1", "max_tokens": 1, "temperature": 0}
    try:
        request_json("POST", f"{base_url}/completions", body, authorization(key), TOKEN_SECONDS)
    except Refused as error:
        if error.http_status >= 500:
            raise
        # It answers, though not this: a model of another kind, or a key that is not for us.


def count(root: str, model: str, key: SecretStr | None, text: str) -> int | None:
    """Tokens of a text, without those that a template adds; None where it does not tell."""
    body = {"model": model, "prompt": text, "add_special_tokens": False}
    with contextlib.suppress(BerthError, ValueError):  # ValueError: no UTF-8, or no count
        url, headers = f"{root}/tokenize", authorization(key)
        said = request_json("POST", url, body, headers, seconds=COUNT_SECONDS)
        return _Count.model_validate(said).count
    return None


def _row(row: Any) -> Listed | None:
    try:
        told = TypeAdapter(_Row).validate_python(row)
    except ValidationError:
        return None
    return Listed(id=told.id, context=told.max_model_len or (told.meta and told.meta.n_ctx))
