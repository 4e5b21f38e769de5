"""/api/keys: the owner makes, changes, disables and deletes the API keys of programs."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api.errors import read_model
from lib.api.operation import operation
from lib.core.access import Action, carried, require
from lib.core.errors import Conflict, NotFound
from lib.core.values import Frozen
from lib.engines import all_models
from lib.fleet import endpoints
from lib.fleet.endpoints import Call, Way
from lib.keys import spent, store
from lib.keys.key import Key, KeyChange, NewKey
from lib.sharing import listener

NO_STORE = {"Cache-Control": "no-store"}
ANY_MODEL = "MODEL"  # where the key is for all: the caller puts one in its place


class Today(Frozen):
    """What a key has had since midnight."""

    requests: int
    tokens: int


class KnownKey(Frozen):
    """One key, without its secret; the moments are in epoch seconds, null stands for no limit."""

    id: str
    name: str
    hint: str  # how its secret begins
    created_at: float
    expires_at: float | None
    is_disabled: bool
    is_expired: bool
    models: tuple[str, ...] | None
    per_minute: int | None
    tokens_a_day: int | None
    today: Today
    last_used_at: float | None


class KnownKeys(Frozen):
    """What GET /api/keys answers, the oldest first."""

    keys: tuple[KnownKey, ...]


class FirstCall(Frozen):
    """Texts to paste, with the secret in them; `shared` is for other machines, "" where not shared.

    Of a key for all models they name one that is there; where none is, MODEL stands in its place.
    """

    curl: str
    python: str
    shared_curl: str = ""
    shared_python: str = ""


class MadeKey(Frozen):
    """What POST /api/keys answers: the one time that the secret is told."""

    key: KnownKey
    secret: str
    first_call: FirstCall


class DeletedKey(Frozen):
    """What DELETE answers: which one it was."""

    deleted: str


@operation(KnownKeys)
async def index(request: Request) -> Response:
    """Every API key with its limits and what it has used today; never a secret."""
    require(Action.CONFIGURE)
    return _answer(await run_in_threadpool(carried(_every)))


@operation(MadeKey, status=201, body=NewKey, errors=(Conflict,), example={"name": "My editor"})
async def create(request: Request) -> Response:
    """A new API key; its secret is in this answer and never again."""
    require(Action.CONFIGURE)
    new = await read_model(request, NewKey)
    at = f"{request.url.scheme}://{request.url.netloc}/v1"
    return _answer(await run_in_threadpool(carried(_made), new, at), 201)


@operation(KnownKey, body=KeyChange, errors=(Conflict, NotFound), example={"is_disabled": True})
async def change(request: Request) -> Response:
    """Change the fields that are sent; `"is_disabled": true` ends at once what runs with it."""
    require(Action.CONFIGURE)
    wanted = await read_model(request, KeyChange)
    return _answer(await run_in_threadpool(carried(_changed), request.path_params["id"], wanted))


@operation(DeletedKey, errors=(Conflict, NotFound))
async def delete(request: Request) -> Response:
    """Forget a key that was disabled before."""
    require(Action.CONFIGURE)
    await run_in_threadpool(carried(store.delete), request.path_params["id"])
    return JSONResponse({"deleted": request.path_params["id"]}, headers=NO_STORE)


def _every() -> KnownKeys:
    return KnownKeys(keys=tuple(map(described, store.all_keys())))


def _made(new: NewKey, base_url: str) -> MadeKey:
    key, secret = store.create(new)
    call, name = _first_of(key)
    here, texts = Way(base_url, name, key=secret), {}
    if share := listener.current():
        there = here._replace(base_url=f"{share.url}/v1")
        texts = {
            "shared_curl": endpoints.curl(call, there),
            "shared_python": endpoints.python(call, there),
        }
    first = FirstCall(curl=endpoints.curl(call, here), python=endpoints.python(call, here), **texts)
    return MadeKey(key=described(key), secret=secret, first_call=first)


def _first_of(key: Key) -> tuple[Call, str]:
    """What to ask first, and which model."""
    found = endpoints.first_model(key.models, all_models())
    if found is None:
        return endpoints.CHAT, key.models[0] if key.models else ANY_MODEL
    return endpoints.call_of(found), found.name


def _changed(key_id: str, wanted: KeyChange) -> KnownKey:
    return described(store.change(key_id, wanted))


def described(key: Key) -> KnownKey:
    """The key as the owner sees it."""
    used = spent.today(key.id)
    return KnownKey(
        **key._asdict(),
        is_expired=key.is_expired(),
        today=Today(requests=used.requests, tokens=used.tokens),
        last_used_at=used.last_at or None,
    )


def _answer(value: Frozen, status: int = 200) -> Response:
    told: Any = value.model_dump(mode="json")
    return JSONResponse(told, status, headers=NO_STORE)


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/keys", index),
        Route("/keys", create, methods=["POST"]),
        Route("/keys/{id}", change, methods=["PATCH"]),
        Route("/keys/{id}", delete, methods=["DELETE"]),
    ]
