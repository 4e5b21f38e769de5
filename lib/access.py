"""Who may do what, and the gate that every request and WebSocket passes first.

The owner is whoever sits at this machine: no login, but the request must come from this machine,
by a local name (a foreign page can point a name of its own at 127.0.0.1), from Berth's own pages
or a program (a foreign page can send forms here), and not through a proxy (which would make
everybody local).
"""

import re
import secrets
from enum import StrEnum

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.errors import BerthError, Forbidden

LISTENER = "berth.listener"  # set in the scope of connections that came over another listener
COOKIE = "berth_browser"
COOKIE_SECONDS = 400 * 86_400  # the longest that browsers keep

_EARLY_CHECK = "/_stcore/health"
_OWN_SITES = ("same-origin", "none")
_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_LOCAL_PEERS = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_FORWARDED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)
_BROWSER_ID = re.compile(rf"(?:^|;) *{COOKIE}=([0-9a-f]{{32}}) *(?:;|$)")


class Role(StrEnum):
    """Who somebody is to this machine."""

    OWNER = "owner"
    GUEST = "guest"


class Action(StrEnum):
    """What somebody wants to do, as the refusal names it."""

    LOOK = "look at this"
    CHAT = "chat with models"
    RUN = "start or stop models"
    REMOVE = "remove models"
    DEPLOY = "deploy models"
    CONFIGURE = "change settings"


_GUESTS_MAY = frozenset({Action.LOOK, Action.CHAT})


class WrongHost(Forbidden):
    """The request names a host that is not this machine."""

    code = "wrong_host"
    status = 421


class ForeignOrigin(Forbidden):
    """The request was sent by a page that is not Berth's."""

    code = "foreign_origin"


class NotSignedIn(Forbidden):
    """Nobody knows who this is."""

    code = "not_signed_in"
    status = 401


def require(role: str, action: Action) -> None:
    """Forbidden unless this role may do this. To be called where the action happens."""
    if role == Role.OWNER or (role == Role.GUEST and action in _GUESTS_MAY):
        return
    raise Forbidden(f"Only the owner of this machine may {action}.", "Ask the owner to do it.")


def role_of(scope: Scope) -> Role:
    """The role that the gate found for this request."""
    return Role(scope["berth.role"])


def browser_of(scope: Scope) -> str:
    """The random id of the visitor's browser: what it began, only it may read."""
    return str(scope["berth.browser"])


class Gate:
    """Pure ASGI, outermost: refuses, or passes the request on with role and browser id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, mark and pass on; the lifespan has nobody to check."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            role = admit(scope, headers)
        except Forbidden as error:
            await _refuse(error, scope, receive, send)
            return
        known = _BROWSER_ID.search(headers.get("cookie", ""))
        browser = known[1] if known else secrets.token_hex(16)
        if not known and _may_introduce(scope, headers):
            send = _introducing(send, browser, scope["path"])
        await self.app(_marked(scope, role, browser), receive, send)


def admit(scope: Scope, headers: Headers) -> Role:
    """The visitor's role, or Forbidden with the reason."""
    host = _checked_host(headers)
    _check_origin(headers, host)
    _check_sender(scope, headers)
    if LISTENER in scope or any(name in headers for name in _FORWARDED):
        raise NotSignedIn(
            "Berth answers without a login on its own machine only, and not through a proxy.",
            "Open it on the machine it runs on.",
        )
    if not scope["client"] or scope["client"][0] not in _LOCAL_PEERS:
        raise NotSignedIn("This is not the machine Berth runs on.", "Open it there.")
    return Role.OWNER


def _checked_host(headers: Headers) -> str:
    """The one Host, if it is a local name. Any port: an SSH tunnel may end on another one."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0].lower()):
        raise WrongHost("This address is not one of Berth's.", "Open it as localhost or 127.0.0.1.")
    return hosts[0].lower()


def _check_origin(headers: Headers, host: str) -> None:
    """What a browser says about the page that sent this must name this very host and port."""
    own = {f"http://{host}", f"https://{host}"}
    if any(origin.lower() not in own for origin in headers.getlist("origin")):
        raise ForeignOrigin("Another website sent this request.", "Send it from Berth's pages.")


def _check_sender(scope: Scope, headers: Headers) -> None:
    """Other sites may link here, and nothing else.

    A browser asks before it sends PUT, PATCH, DELETE or JSON to another origin, and is refused.
    A form or a text it would just send: so what changes something by POST has to be JSON.
    """
    site, method = headers.get("sec-fetch-site", "none"), scope.get("method", "GET")
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if site not in _OWN_SITES and not is_link:
        raise ForeignOrigin("Another website sent this request.", "Send it from Berth's pages.")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and media_type != "application/json":
        raise ForeignOrigin(
            "A request that changes something must be JSON.",
            "Send it with the header Content-Type: application/json.",
        )


def _may_introduce(scope: Scope, headers: Headers) -> bool:
    """May this answer give the browser an id?

    A strict cookie is not sent along a link from another site, so an answer to one would replace
    the id that the browser may have; the health check that every page makes next gives it then.
    """
    return scope["type"] == "http" and headers.get("sec-fetch-site", "none") in _OWN_SITES


def _introducing(send: Send, browser: str, path: str) -> Send:
    """Sends the cookie with a page, or with the check that a page makes before its WebSocket."""
    cookie = f"{COOKIE}={browser}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_page = headers.get("content-type", "").startswith("text/html")
            if is_page or path == _EARLY_CHECK:
                headers.append("set-cookie", cookie)
        await send(message)

    return sending


def _marked(scope: Scope, role: Role, browser: str) -> Scope:
    """The scope with our marks, and without what a client may have sent under their names.

    Streamlit takes the first of several headers of one name, so adding is not enough.
    """
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if not name.lower().replace(b"_", b"-").startswith(b"x-berth-")
    ]
    headers += [(b"x-berth-role", role.encode()), (b"x-berth-who", browser.encode())]
    return {**scope, "headers": headers, "berth.role": role, "berth.browser": browser}


async def _refuse(error: BerthError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.message})
        return
    await JSONResponse(error.as_json(), status_code=error.status)(scope, receive, send)
