"""The HTTP clients: one for engines on this machine, one for the world outside.

Connecting is quick or hopeless; a first token may take minutes. So the two have separate timeouts.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from lib.core import proxies
from lib.core.errors import EngineDown, EngineError, NetworkError

USER_AGENT = "berth"
CONNECT_SECONDS = 5.0
THINK_SECONDS = 1_800.0
ANSWER_SECONDS = 10.0
LONGEST_ERROR = 65_536
LONGEST_LINE = 4 * 2**20
LONGEST_TEXT = 4 * 2**20  # bytes of an answer that is read as text


class Refused(EngineError):
    """An engine answered with an error status; `body` is what it said."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"The engine answered {status}: {body[:500]}")
        self.http_status = status
        self.body = body


class TimedOut(NetworkError, code="timed_out", status=504):
    """Something outside this machine did not answer in time."""


class NameUnknown(NetworkError, code="name_unknown"):
    """No address is known for a host: a wrong name, or no network at all."""


class NothingListens(NetworkError, code="nothing_listens"):
    """The host is there and takes no connection."""


class Untrusted(NetworkError, code="untrusted"):
    """No secure connection: the certificate is not trusted, or something in between interferes."""


@cache
def local() -> httpx.Client:
    """For engines on loopback: no proxy, no redirect, no connection that may have gone stale."""
    return httpx.Client(
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"User-Agent": USER_AGENT},
        trust_env=False,
        verify=ssl.create_default_context(),
    )


@cache
def outside() -> httpx.Client:
    """For the Hub and package indexes: with the user's proxy and redirects.

    httpx drops the credentials where a redirect leaves the host. NetworkError for certificates
    that cannot be used; for a proxy that cannot, at the request that would go through it.
    """
    try:
        trusted = httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        raise NetworkError(
            f"No connection can be made: {error}.",
            "Check SSL_CERT_FILE and SSL_CERT_DIR, then restart Berth.",
        ) from error
    return httpx.Client(
        timeout=httpx.Timeout(30.0, connect=15.0),
        follow_redirects=True,
        headers={"User-Agent": USER_AGENT},
        transport=_ThroughProxies(trusted),
        trust_env=False,  # core/proxies.py reads it
    )


class _ThroughProxies(httpx.BaseTransport):
    """Sends each request the way that the environment says for its server."""

    def __init__(self, trusted: ssl.SSLContext) -> None:
        self._trusted = trusted
        self._ways: dict[str, httpx.HTTPTransport] = {"": httpx.HTTPTransport(verify=trusted)}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; NetworkError where the proxy is none that can be used."""
        url = request.url
        return self._way(proxies.proxy_for(url.scheme, url.host, url.port)).handle_request(request)

    def _way(self, proxy: str) -> httpx.HTTPTransport:
        with self._lock:
            if proxy not in self._ways:
                self._ways[proxy] = _through(proxy, self._trusted)
            return self._ways[proxy]

    def close(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            way.close()


def _through(proxy: str, trusted: ssl.SSLContext) -> httpx.HTTPTransport:
    try:
        if proxy.partition("://")[0].lower() not in proxies.KNOWN:
            raise ValueError("only http and https proxies can be used")
        return httpx.HTTPTransport(verify=trusted, proxy=httpx.Proxy(proxy))
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        variable, address = proxies.variable_of(proxy), proxies.without_secret(proxy)
        raise NetworkError(
            f"{variable} names the proxy {address}, which cannot be used: {error}.",
            f"Correct or unset {variable}, then restart Berth.",
        ) from error


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what httpx raises for an engine at `url` into words."""
    try:
        yield
    except httpx.ConnectError as error:
        raise EngineDown(
            f"Nothing answers at {url}.", "Start the engine, then try again."
        ) from error
    except httpx.TimeoutException as error:
        raise EngineError(
            f"{url} took too long to answer.", "Try again when it is idle."
        ) from error
    except httpx.HTTPError as error:
        raise EngineError(
            f"The connection to {url} broke: {error or type(error).__name__}.",
            "Open Models to see whether the model still runs.",
        ) from error


@contextlib.contextmanager
def explained_outside(url: str) -> Iterator[None]:
    """The same for a server outside this machine: NetworkError."""
    try:
        host = httpx.URL(url).host
        yield
    except (httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: a name that no DNS can have
        raise NetworkError(
            f"This is not an address: {error}.", "Check HF_ENDPOINT and pip's index-url."
        ) from error
    except httpx.RequestError as error:
        raise _unreachable(host, error) from error


def _unreachable(host: str, error: httpx.RequestError) -> NetworkError:
    """Why a server outside was not reached, by what lies at the bottom of httpx's error."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{host} did not answer in time.", "Check the network, then retry.")
    cause = _bottom(error)
    if isinstance(cause, socket.gaierror):
        return NameUnknown(
            f"{host} cannot be reached: its name is not known here.",
            "This machine may be offline. Check the network, then retry.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return NothingListens(
            f"{host} cannot be reached: it refuses the connection.",
            "Check its address and the proxy settings, then retry.",
        )
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", "") or cause.reason or "unknown"
        return Untrusted(
            f"{host} cannot be trusted: {reason.lower().replace('_', ' ')}.",
            "Behind a company's proxy, let SSL_CERT_FILE name its certificate, and restart Berth.",
        )
    was_open = not isinstance(error, httpx.ConnectError)
    what = f"The connection to {host} broke" if was_open else f"{host} cannot be reached"
    return NetworkError(
        f"{what}: {str(error) or type(error).__name__}.",
        "Check the network or the proxy settings, then retry.",
    )


def _bottom(error: BaseException) -> BaseException:
    """The error it all began with; httpcore's pool hides the cause and leaves the context."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error


@contextlib.contextmanager
def outside_answer(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    connect_seconds: float = 15.0,
    silence_seconds: float = 30.0,
) -> Iterator[httpx.Response]:
    """An answer from outside, of any status, with its body still to be read.

    NetworkError where the connection breaks, also while the body is read, or no byte comes for
    `silence_seconds`.
    """
    timeout = httpx.Timeout(silence_seconds, connect=connect_seconds)
    with (
        explained_outside(url),
        outside().stream(method, url, headers=headers, timeout=timeout) as answer,
    ):
        yield answer


def is_web_address(address: str) -> bool:
    """Could it be asked at all?"""
    try:
        httpx.URL(address)
        parts = urlsplit(address)
        (parts.hostname or "").encode("idna")
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):  # UnicodeError is one
        return False
    return is_web and address.isprintable() and " " not in address


def tell_outside(url: str, body: Any, seconds: float = 10.0) -> None:
    """Send this as JSON, to that address alone; NetworkError where it is not taken."""
    timeout = httpx.Timeout(seconds)
    with explained_outside(url):
        answer = outside().post(url, json=body, timeout=timeout, follow_redirects=False)
    if not answer.is_success:
        raise NetworkError(
            f"{httpx.URL(url).host} answered {answer.status_code}.", "Check the address."
        )


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON an engine answers; Refused, EngineDown or EngineError otherwise."""
    return request_json("GET", url, headers=headers)


def request_json(
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> Any:
    """One call to an engine; None where the answer has no JSON body."""
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    with explained(url):
        answer = local().request(method, url, json=body, headers=headers, timeout=timeout)
    if answer.is_error:
        raise Refused(answer.status_code, answer.text[:LONGEST_ERROR])
    try:
        return answer.json()
    except ValueError:
        return None


class Posted(NamedTuple):
    """An answer of any status, with the names of its headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def post_json(
    url: str, body: bytes, headers: Mapping[str, str], seconds: float = THINK_SECONDS
) -> Posted:
    """What a server on this machine answers to this JSON; EngineDown or EngineError where none."""
    timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
    sent = {"Content-Type": "application/json", **headers}
    with explained(url):
        answer = local().post(url, content=body, headers=sent, timeout=timeout)
    return Posted(answer.status_code, dict(answer.headers), answer.content)


def get_text(
    url: str,
    headers: Mapping[str, str] | None = None,
    seconds: float = ANSWER_SECONDS,
    longest_bytes: int = LONGEST_TEXT,
) -> str:
    """The text a server answers, such as its metrics; the same errors as `get_json`.

    No more is read than `longest_bytes`, nor longer than `seconds` after it began to come.
    """
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    with (
        explained(url),
        local().stream("GET", url, headers=headers, timeout=timeout) as answer,
    ):
        give_up_at, body = time.monotonic() + seconds, b""
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > longest_bytes or time.monotonic() > give_up_at:
                raise EngineError(f"{url} answers without an end.", "Look at what listens there.")
    text = body.decode("utf-8", "replace")
    if answer.is_error:
        raise Refused(answer.status_code, text[:LONGEST_ERROR])
    return text


class Lines(Iterator[str]):
    """The lines of a streamed answer to one POST; `close` works from any thread, at once.

    A read that waits for an engine's first token cannot be interrupted by closing the response,
    so `close` shuts the socket down, which it learns from httpx's trace before the request is sent.
    """

    def __init__(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self._url, self._body, self._headers = url, body, headers
        self._socket: socket.socket | None = None
        self._closed = False
        self._lines = self._read()

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except EngineError:
            if self._closed:
                raise StopIteration from None
            raise

    def close(self) -> None:
        """End the request now, also while another thread waits for a line."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")
            if self._closed:
                raise httpx.ReadError("closed by the caller")

    def _read(self) -> Iterator[str]:
        if self._closed:
            return
        thinking = httpx.Timeout(THINK_SECONDS, connect=CONNECT_SECONDS)
        request = local().build_request(
            "POST", self._url, json=self._body, headers=self._headers, timeout=thinking
        )
        request.extensions["trace"] = self._trace
        with explained(self._url), contextlib.closing(local().send(request, stream=True)) as answer:
            if answer.is_error:
                answer.read()
                raise Refused(answer.status_code, answer.text[:LONGEST_ERROR])
            for line in lines_of(answer.iter_bytes()):
                if self._closed:
                    return
                yield line


def lines_of(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream, ended by LF or CR LF alone; EngineError for one without end.

    httpx's own `iter_lines` also splits at U+2028, U+0085 and the like, which models do write.
    """
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removesuffix("\r")
        if len(rest) > LONGEST_LINE:
            raise EngineError("The engine sent a line without end.", "Start the model again.")
    if rest:
        yield rest.decode("utf-8", "replace").removesuffix("\r")
