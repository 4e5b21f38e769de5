"""Where visitors from the network arrive: the page that asks for the access code, and the answer.

Nothing else is behind it: no Streamlit, no script but the page's own, no picture.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from lib.api.errors import once, parsed, read_body
from lib.api.operation import Operation
from lib.api.pools import SIGN_INS
from lib.core.access import Action, NotSignedIn, require
from lib.core.errors import BadInput, BerthError, NotFound
from lib.sharing import guests, listener
from lib.sharing.gate import LOGIN, refuse
from lib.sharing.guests import TooManyTries

PAGE = Path(__file__).with_name("guests.html").read_bytes()
OVER = Path(__file__).with_name("guests_over.html").read_bytes()
LARGEST_LOGIN = 4096  # bytes
NO_PAGES = ("/api/", "/_stcore/")
NO_STORE = {"Cache-Control": "no-store"}


class Login(BaseModel):
    """What the page sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: str = Field(max_length=LARGEST_LOGIN)
    name: str = Field(default="", max_length=200)  # what the guest wants to be called


class SignedIn(BaseModel):
    """The answer, with the cookie that proves it."""

    ok: bool


LOGIN_OPERATION = Operation(
    "Sign in with the access code, as a guest from the network.",
    "Answered at the address that Berth shares, and nowhere else.",
    answers={200: SignedIn},
    body=Login,
    errors=(NotFound, TooManyTries),
    example={"code": "the access code"},
)


class Lobby:
    """Pure ASGI: answers whoever has not signed in."""

    def __init__(self, pages: frozenset[str]) -> None:
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The login page in place of any page; no other path tells anything."""
        try:
            if scope["type"] == "websocket":
                raise _unknown()
            answer = await self._answer(Request(scope, receive))
        except BerthError as error:
            await refuse(error, scope, receive, send)
            return
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path, method = request.scope["path"], request.method
        if (method, path) == ("POST", LOGIN):
            return await _sign_in(request)
        if method not in ("GET", "HEAD") or f"{path}/".startswith(NO_PAGES):
            raise _unknown()
        if path not in self.pages:
            return RedirectResponse("/", 303)
        return HTMLResponse(PAGE if listener.current() else OVER, 401, NO_STORE)


def _unknown() -> NotSignedIn:
    return NotSignedIn(
        "This is for people who have signed in.", "Open Berth in a browser and type the code."
    )


async def _sign_in(request: Request) -> Response:
    """The right code, and a cookie that proves it was typed."""
    if not listener.current():
        raise NotSignedIn("The owner has stopped sharing.", "Ask the owner of the machine.")
    body = await read_body(request, LARGEST_LOGIN)
    try:
        typed = Login.model_validate(parsed(body, once))
    except ValidationError as error:
        raise BadInput("There is no code in this.", "Type the access code.") from error
    address = request.client.host if request.client else ""
    cookie = await SIGN_INS.run(address, guests.sign_in, typed.code, address, typed.name)
    answer, scheme = JSONResponse({"ok": True}, headers=NO_STORE), request.url.scheme
    answer.set_cookie(
        guests.COOKIES[scheme],
        cookie,
        guests.LOGIN_SECONDS,
        secure=scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


async def watch(socket: WebSocket) -> None:
    """`/api/guests/watch`: open as long as the login holds; its end tells the guest's page."""
    require(Action.LOOK)
    await socket.accept()
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def sockets() -> list[WebSocketRoute]:
    """The WebSocket of this module, relative to /api."""
    return [WebSocketRoute("/guests/watch", watch)]
