"""What of a request an engine gets: known fields with bounded values, and nothing else.

One file a dialect says which; each engine has its own list of them. The body is made anew from
what was read, so that an engine can read nothing in it that was not read here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from lib.api.shield import (
    chat,
    completions,
    embeddings,
    messages,
    refused,
    rerank,
    responses,
    steady,
)
from lib.api.shield.told import Told, left_out
from lib.api.shield.values import WrongField, wrong_field
from lib.core.errors import BerthError

__all__ = ["DIALECTS", "Checked", "Sent", "WrongField", "checked", "for_engine", "told_of_answer"]
Fields = dict[str, Any]
_CALLS = (b'"tool_calls"', b'"function_call"', b'"tool_use"')
TITLES = {chat.LLAMACPP: "llama.cpp", chat.OLLAMA: "Ollama", chat.VLLM: "vLLM"}


class NotOffered(BerthError, code="not_offered", status=400):
    """The engine of the model has no such route."""


class _Dialect(NamedTuple):
    """How a route's requests are read, and what each engine takes of them."""

    fields: TypeAdapter[Any]
    names: frozenset[str]
    takes: dict[str, set[str]]
    adapted: Callable[[Fields, str, Told], Fields]


def _dialect(
    fields: Any, takes: dict[str, set[str]], adapted: Callable[[Fields, str, Told], Fields]
) -> _Dialect:
    return _Dialect(TypeAdapter(fields), frozenset(fields.__annotations__), takes, adapted)


DIALECTS: dict[str, _Dialect] = {
    "/chat/completions": _dialect(chat.Chat, chat.TAKES, chat.adapted),
    "/completions": _dialect(completions.Completions, completions.TAKES, completions.adapted),
    "/embeddings": _dialect(embeddings.Embeddings, embeddings.TAKES, embeddings.adapted),
    "/rerank": _dialect(rerank.Rerank, rerank.TAKES, rerank.adapted),
    "/responses": _dialect(responses.Responses, responses.TAKES, responses.adapted),
    "/messages": _dialect(messages.Messages, messages.TAKES, messages.adapted),
    "/messages/count_tokens": _dialect(
        messages.CountTokens, messages.COUNT_TAKES, messages.adapted
    ),
}


class Checked(NamedTuple):
    """A request that any engine may be asked; which, is not known yet."""

    path: str  # below /v1
    fields: Fields
    ignored: tuple[str, ...]


class Sent(NamedTuple):
    """What one engine gets, and what the client is told of it."""

    body: bytes
    headers: list[tuple[bytes, bytes]]


def checked(path: str, fields: Fields) -> Checked:
    """The known fields of a request; WrongField for what no engine should get."""
    dialect = DIALECTS[path]
    given = {name: value for name, value in fields.items() if value is not None}
    refused.refuse(path, given, dialect.names)
    try:
        found: Fields = dialect.fields.validate_python(given)
    except ValidationError as error:
        raise wrong_field(error, given) from None
    return Checked(path, found, tuple(left_out(given, found)))


def for_engine(request: Checked, engine: str, model: str) -> Sent:
    """The request's body for this engine, by the name that it has for the model."""
    dialect, told = DIALECTS[request.path], Told()
    takes = dialect.takes.get(engine)
    if takes is None:
        raise _not_offered(request.path, engine)
    told.ignore(request.ignored)
    fields = {**request.fields, "model": model}
    if request.path in steady.PATHS:
        fields = steady.steady(fields, told)
    made = dialect.adapted(fields, engine, told)
    told.ignore(name for name in made if name not in takes)
    try:
        body = to_json({name: value for name, value in made.items() if name in takes})
    except PydanticSerializationError:
        raise WrongField("The request has text that is none.", "Send it as UTF-8.") from None
    return Sent(body, told.headers())


def _not_offered(path: str, engine: str) -> NotOffered:
    able = [TITLES[name] for name in DIALECTS[path].takes]
    return NotOffered(
        f"{TITLES.get(engine, engine)}, which runs this model, has no /v1{path}.",
        f"Ask a model of {' or '.join(able)}.",
    )


def told_of_answer(request: Checked, body: bytes) -> list[tuple[bytes, bytes]]:
    """What a client should know of an answer that came whole: not every model can be forced."""
    choice = request.fields.get("tool_choice", "auto")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind in ("auto", "none") or any(mark in body for mark in _CALLS):
        return []
    told = Told()
    told.note("tool_choice asked for a tool, and the model called none")
    return told.headers()
