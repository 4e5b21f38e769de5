"""The gate that every request and WebSocket passes first.

The owner is whoever sits at this machine: no login, but the request must come from this machine,
by a local name (a foreign page can point a name of its own at 127.0.0.1), from Berth's own pages
or a program (a foreign page can send forms here), from the owner's own programs (owner.py), and not
through a proxy (which would make everybody local). Whoever comes over the listener for the network
is a guest at most, from this machine too, and has to sign in; a program with an API key gets to the
models from everywhere (programs.py).
"""

import html
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.core.access import (
    Actor,
    NotSignedIn,
    Role,
    acting,
)
from lib.core.errors import BerthError, Forbidden, NotFound
from lib.requests import log
from lib.sharing import forwarded, guests, logins, named, owner, programs

LISTENER = forwarded.MARK  # in the scope of what came over the network: that listener's own Host
ADMITTED = "berth.admitted"  # in the scope of its WebSockets: to be told which login until when
LOGIN = "/api/login"
UPLOADS = "/v1/files"  # takes forms of programs
COOKIE = "berth_browser"
COOKIE_SECONDS = 400 * 86_400  # the longest that browsers keep

_EARLY_CHECK = "/_stcore/health"
_OURS = ("api", "v1")  # they have routes and methods of their own
_FORM = "multipart/form-data"
_OF_BROWSERS = ("origin", "sec-fetch-site", "cookie", "referer")
_READING = ("GET", "HEAD")
# Of what Streamlit brings, the pages use these; its uploads, metrics, agents, sign-in are closed.
_STREAMLITS = frozenset({"health", "host-config", "stream"})
_COMPONENTS = "bidi-components/"
_CLOSED = frozenset({"component", "auth", "oauth2callback", "app"})
_OWN_SITES = ("same-origin", "none")
_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_FORWARDED = forwarded.FORWARDING
_REFUSED = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Berth</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto;
padding: 0 1rem; color-scheme: light dark }}</style></head>
<body><h1>Berth</h1><p>{message}</p><p>{fix}</p><p><a href="/">Try again</a></p></body></html>"""
_BROWSER_ID = re.compile(rf"(?:^|;) *{COOKIE}=([0-9a-f]{{32}}) *(?:;|$)")
_LOGIN_COOKIES = {
    scheme: re.compile(rf"(?:^|;) *{name}=([\w.-]{{1,1024}}) *(?:;|$)", re.ASCII)
    for scheme, name in guests.COOKIES.items()
}


class WrongHost(Forbidden, code="wrong_host", status=421):
    """The request names a host that is not this machine."""


class ForeignOrigin(Forbidden, code="foreign_origin"):
    """The request was sent by a page that is not Berth's."""


class WrongType(ForeignOrigin, code="wrong_type", status=415):
    """What a program sends to change something is not said to be JSON."""


def browser_of(scope: Scope) -> str:
    """The visitor's id that the gate vouches for: what it began, only it may read."""
    return str(scope["berth.browser"])


class Gate:
    """Pure ASGI, outermost: refuses, or passes the request on with the actor it comes from.

    A visitor from the network who has not signed in is passed to the `lobby` instead.
    """

    def __init__(self, app: ASGIApp, lobby: ASGIApp) -> None:
        self.app = app
        self.lobby = lobby

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, mark and pass on; the lifespan has nobody to check."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            scope = forwarded.resolved(scope, Headers(scope=scope))
            headers = Headers(scope=scope)
            origin = named.origin(scope, headers)
            _check(scope, headers, is_named=bool(origin))
            send = named.answering(send, origin) if origin else send
            if origin and scope["method"] == "OPTIONS":
                await named.preflight(headers)(scope, receive, send)
                return
            program = await programs.caller(scope, headers, is_far=LISTENER in scope)
            arrival = None if LISTENER in scope else owner.entry(scope)
            actor = program or (None if arrival else _actor(scope, headers))
        except BerthError as error:
            await refuse(error, scope, receive, send)
            return
        if arrival:
            await arrival(scope, receive, send)
        elif actor is None:
            await self.lobby(scope, receive, send)
        else:
            if actor.role == Role.OWNER and _may_introduce(scope, headers):
                send = _introducing(send, actor.who, scope["path"])
            with acting(*actor):
                await self.app(_marked(scope, actor), receive, send)


def _actor(scope: Scope, headers: Headers) -> Actor | None:
    """Who sends this; None for somebody from the network who has not signed in."""
    if LISTENER in scope:
        guest = None if scope["path"] == LOGIN else _guest(scope, headers)
        if guest:
            _check_path(scope)
        return guest
    owner.check(scope, headers)
    _check_path(scope)
    return Actor(Role.OWNER, _browser(headers) or secrets.token_hex(16))


def _check(scope: Scope, headers: Headers, *, is_named: bool) -> None:
    """What holds for owner and guest alike; `is_named`: the owner has named the page's origin."""
    host = _checked_host(scope, headers)
    if not is_named:
        _check_origin(scope, headers, host)
    if LISTENER in scope and scope["type"] == "websocket" and "origin" not in headers:
        raise ForeignOrigin("A WebSocket from the network must name its page.", "Use a browser.")
    _check_sender(scope, headers, is_named=is_named)
    if any(name in headers for name in _FORWARDED):
        raise NotSignedIn(
            "Berth does not answer through a proxy.", "Open it at the address that it printed."
        )


def _browser(headers: Headers) -> str:
    """The id that we gave the browser; "" before that."""
    known = _BROWSER_ID.search(headers.get("cookie", ""))
    return known[1] if known else ""


def _guest(scope: Scope, headers: Headers) -> Actor | None:
    """Whoever signed in, by the cookie they got then."""
    cookie = _LOGIN_COOKIES[_scheme(scope)].search(headers.get("cookie", ""))
    proof = guests.proved(cookie[1]) if cookie else None
    if proof is None:
        return None
    address = scope["client"][0] if scope["client"] else ""
    logins.seen(proof.login, address, proof.since, proof.name)
    if ADMITTED in scope:
        scope[ADMITTED](proof.login, proof.until)
    return Actor(Role.GUEST, proof.login)


def _checked_host(scope: Scope, headers: Headers) -> str:
    """The one Host, if it is the listener's, a local name, or one that the owner has named.

    A local name has any port: an SSH tunnel may end on another one.
    """
    hosts, listener = [host.lower() for host in headers.getlist("host")], scope.get(LISTENER)
    is_ours = hosts == [listener] if listener else _is_local(hosts)
    if not is_ours and not named.is_host(scope, hosts):
        raise WrongHost(
            "This address is not one of Berth's.",
            f"Open it as {listener or 'localhost'}.{named.hint(scope)}",
        )
    return hosts[0]


def _scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _is_local(hosts: list[str]) -> bool:
    return len(hosts) == 1 and _LOCAL_HOST.fullmatch(hosts[0]) is not None


def _check_path(scope: Scope) -> None:
    """NotFound for what no page of Berth asks for.

    A page below the root looks for Streamlit's routes below its own path too.
    """
    path, method = str(scope["path"]), scope.get("method", "GET")
    first = path.lstrip("/").partition("/")[0]
    if first in _OURS:
        return
    inner = f"{path}/".partition("/_stcore/")[2].rstrip("/")
    is_used = not inner or inner in _STREAMLITS or inner.startswith(_COMPONENTS)
    if method not in _READING or first in _CLOSED or not is_used:
        raise NotFound("There is nothing at this address.", "Open Berth's start page.")


def _check_origin(scope: Scope, headers: Headers, host: str) -> None:
    """What a browser says about the page that sent this must name this very host and port.

    Over the network the scheme as well: who can change what is not encrypted could else send along.
    """
    schemes = [_scheme(scope)] if LISTENER in scope else ["http", "https"]
    own = {f"{scheme}://{host}" for scheme in schemes}
    if any(origin.lower() not in own for origin in headers.getlist("origin")):
        raise _foreign(scope)


def _check_sender(scope: Scope, headers: Headers, *, is_named: bool) -> None:
    """Other sites may link here, and nothing else.

    A browser asks before it sends PUT, PATCH, DELETE or JSON to another origin, and is refused.
    A form or a text it would just send: so what changes something by POST has to be JSON. A POST of
    nothing at all is a program's: browsers add where it comes from.
    """
    site, method = headers.get("sec-fetch-site", "none"), scope.get("method", "GET")
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if site not in _OWN_SITES and not is_link and not is_named:
        raise _foreign(scope)
    if method == "POST" and _is_empty_of_program(headers):
        return
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and media_type == _FORM and _is_upload(scope, headers):
        return
    if method == "POST" and media_type != "application/json":
        kind = ForeignOrigin if _is_browser(headers) else WrongType
        raise kind(
            "A request that changes something must be JSON.",
            "Send it with the header Content-Type: application/json.",
        )


def _foreign(scope: Scope) -> ForeignOrigin:
    return ForeignOrigin(
        "Another website sent this request.", f"Send it from Berth's pages.{named.hint(scope)}"
    )


def _is_empty_of_program(headers: Headers) -> bool:
    says_nothing = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    return says_nothing and not _is_browser(headers) and "content-type" not in headers


def _is_browser(headers: Headers) -> bool:
    return any(name in headers for name in _OF_BROWSERS)


def _is_upload(scope: Scope, headers: Headers) -> bool:
    """Is it a program's file? A foreign page can send a form, but no header with a key."""
    has_key = headers.get("authorization", "").lower().startswith("bearer ")
    return scope["path"] == UPLOADS and (has_key or not _is_browser(headers))


def _may_introduce(scope: Scope, headers: Headers) -> bool:
    """May this answer give the browser an id?

    A strict cookie is not sent along a link from another site, so an answer to one would replace
    the id that the browser may have; the health check that every page makes next gives it then.
    """
    is_own = headers.get("sec-fetch-site", "none") in _OWN_SITES
    return scope["type"] == "http" and is_own and not _browser(headers)


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


def _marked(scope: Scope, actor: Actor) -> Scope:
    """The scope with our marks, and without what a client may have sent under their names.

    Streamlit takes the first of several headers of one name, so adding is not enough.
    """
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if not name.lower().replace(b"_", b"-").startswith(b"x-berth-")
    ]
    headers += [(b"x-berth-role", actor.role.encode()), (b"x-berth-who", actor.who.encode())]
    return {**scope, "headers": headers, "berth.role": actor.role, "berth.browser": actor.who}


async def refuse(error: BerthError, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a request or WebSocket that is not let in; a page for who looks at pages."""
    if str(scope["path"]).startswith("/v1/"):
        log.refused(scope["path"], error)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.message})
        return
    answer: Response = JSONResponse(programs.told(scope, error), status_code=error.status)
    answer.raw_headers += programs.headers(error)
    if "text/html" in Headers(scope=scope).get("accept", ""):
        words = {"message": html.escape(error.message), "fix": html.escape(error.fix)}
        answer = HTMLResponse(_REFUSED.format(**words), error.status)
    answer.headers["Cache-Control"] = "no-store"
    await answer(scope, receive, send)
