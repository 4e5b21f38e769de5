"""/api/sharing: how Berth is shared with the network, and with whom; /api/logout for a guest."""

import asyncio

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.api.errors import read_model
from lib.api.operation import operation
from lib.chat.leaving import end_work
from lib.core.access import Action, Role, carried, current, require
from lib.core.errors import BadInput, Conflict, NotFound
from lib.core.values import Frozen
from lib.sharing import addresses, guests, listener
from lib.sharing.duration import Lasting


class Wanted(Frozen):
    """What POST /api/sharing takes; nothing of it: where it was shared before, without an end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default="", max_length=64)
    lasting: Lasting = Lasting.ALWAYS


class Guest(Frozen):
    """Somebody who has signed in; the moments are in epoch seconds."""

    id: str
    name: str
    address: str
    since: float
    seen_at: float
    asked_at: float | None
    pages: int  # that are open


class Sharing(Frozen):
    """How it stands; for the owner, as the access code is in it."""

    is_shared: bool
    url: str = ""
    code: str = ""
    fingerprint: str = ""  # of the certificate, where the connection is encrypted by Berth
    until: float | None = None
    problem: str = ""
    guests: tuple[Guest, ...] = ()


class SignedOut(Frozen):
    """The answer to a guest who leaves."""

    ok: bool


@operation(Sharing)
async def show(request: Request) -> Response:
    """Whether Berth is shared, at which address and with whom."""
    require(Action.CONFIGURE)
    return await _answered()


@operation(Sharing, body=Wanted, errors=(Conflict, BadInput), example={"lasting": "always"})
async def start(request: Request) -> Response:
    """Share it, on one address of this machine, for as long as is said."""
    require(Action.CONFIGURE)
    wanted = await read_model(request, Wanted)
    await asyncio.to_thread(carried(_start), wanted)
    return await _answered()


@operation(Sharing)
async def stop(request: Request) -> Response:
    """End it; guests' pages close."""
    require(Action.CONFIGURE)
    await asyncio.to_thread(carried(listener.stop))
    return await _answered()


@operation(Sharing, errors=(NotFound,))
async def sign_out(request: Request) -> Response:
    """End one guest's login."""
    require(Action.CONFIGURE)
    login = request.path_params["guest"]
    if login not in [one.id for one in guests.signed_in()]:
        raise NotFound("There is no such guest.", "GET /api/sharing lists those there are.")
    await asyncio.to_thread(carried(_sign_out), login)
    return await _answered()


@operation(SignedOut, errors=(BadInput,))
async def leave(request: Request) -> Response:
    """A guest's own login ends, and its cookie is worth nothing any more."""
    require(Action.LOOK)
    role, login = current()
    if role != Role.GUEST:
        raise BadInput("The owner of this machine has not signed in.", "There is nothing to end.")
    await asyncio.to_thread(carried(_sign_out), login)
    answer = JSONResponse({"ok": True}, headers={"Cache-Control": "no-store"})
    answer.delete_cookie(
        guests.COOKIES[request.url.scheme],
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def _start(wanted: Wanted) -> None:
    address = wanted.address or next(iter(addresses.addresses()), "")
    if not address:
        raise BadInput("This machine is in no network now.", "Connect it, then try again.")
    listener.start(address, wanted.lasting)


def _sign_out(login: str) -> None:
    listener.sign_out(login)
    end_work(login)


async def _answered() -> Response:
    told = await asyncio.to_thread(carried(_told))
    return JSONResponse(told.model_dump(mode="json"), headers={"Cache-Control": "no-store"})


def _told() -> Sharing:
    share = listener.current()
    if share is None:
        return Sharing(is_shared=False, problem=listener.problem())
    found, pages = share.terms.certificate, share.pages_by_login
    return Sharing(
        is_shared=True,
        url=share.url,
        code=guests.access_code(),
        fingerprint=found.fingerprint if found else "",
        until=share.terms.until or None,
        problem=listener.problem(),
        guests=tuple(
            Guest(**one._asdict() | {"asked_at": one.asked_at or None}, pages=pages[one.id])
            for one in guests.signed_in()
        ),
    )


def routes() -> list[Route]:
    """Below /api."""
    return [
        Route("/sharing", show),
        Route("/sharing", start, methods=["POST"]),
        Route("/sharing", stop, methods=["DELETE"]),
        Route("/sharing/guests/{guest}", sign_out, methods=["DELETE"]),
        Route("/logout", leave, methods=["POST"]),
    ]
