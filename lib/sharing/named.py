"""Hosts and origins that the owner has named for /v1, besides this machine's own.

A program in a container asks `host.docker.internal`, a desktop app's page is `app://something`:
both are refused as what a foreign website could send, until the owner names them. Nothing else than
/v1 is opened by it, and who asks there still has to be let in.
"""

import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.preferences import Preferences, change, preferences

MOST = 16
WHERE = "Connect, Containers and desktop apps"
ALLOWED = {
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-max-age": "600",
}
SHOWN = "berth-ignored, berth-note, retry-after"  # of our own, what a page's script may read
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])")
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]{0,31}://(?:[a-z0-9][a-z0-9.-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_PORT = re.compile(r":[0-9]{1,5}$")


def is_host(scope: Scope, hosts: list[str]) -> bool:
    """Is this one Host, with any port, named for what is asked?"""
    if len(hosts) != 1 or not _asks(scope):
        return False
    return _PORT.sub("", hosts[0]) in preferences().v1_hosts


def origin(scope: Scope, headers: Headers) -> str:
    """The origin that sent this, where it is named for what is asked; else ""."""
    sent = headers.getlist("origin")
    if len(sent) != 1 or not _asks(scope) or scope["type"] != "http":
        return ""
    return sent[0] if sent[0].lower() in preferences().v1_origins else ""


def hint(scope: Scope) -> str:
    """What the owner can do about a refusal; "" where nothing."""
    return f" Or the owner names it: {WHERE}." if _asks(scope) else ""


def answering(send: Send, origin: str) -> Send:
    """Sends what lets a page of this origin read the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = SHOWN
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers.add_vary_header("Origin")
        await send(message)

    return sending


def preflight(headers: Headers) -> Response:
    """The answer to a browser that asks whether it may ask."""
    wanted = headers.get("access-control-request-headers", "")
    answer = Response(status_code=204, headers=ALLOWED)
    if re.fullmatch(r"[A-Za-z0-9, -]{1,1000}", wanted):
        answer.headers["access-control-allow-headers"] = wanted
    if "access-control-request-private-network" in headers:
        answer.headers["access-control-allow-private-network"] = "true"
    return answer


def save(hosts: list[str], origins: list[str]) -> Preferences:
    """Name these and no others; BadInput for what is none, or would let every website in."""
    return change(v1_hosts=_each(hosts, _host), v1_origins=_each(origins, _origin))


def _each(given: list[str], read: Callable[[str], str]) -> list[str]:
    found = list(dict.fromkeys(read(one.strip().lower()) for one in given if one.strip()))
    if len(found) > MOST:
        raise BadInput(f"That is more than {MOST}.", "Leave out what is not used.")
    return found


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is no host name.",
            "Name it without http:// and without a port, like host.docker.internal.",
        )
    return text


def _origin(text: str) -> str:
    if text in ("*", "null"):
        raise BadInput(
            f"“{text}” would let every website use the models here.", "Name a single origin."
        )
    if not _ORIGIN.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is no origin.",
            "Name it as the browser does, without a path: app://obsidian.md or https://example.org.",
        )
    return text


def _asks(scope: Scope) -> bool:
    return f"{scope['path']}/".startswith("/v1/")
