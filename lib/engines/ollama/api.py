"""Ollama's own HTTP dialect: where it answers, how quickly, and what its answers look like."""

import ipaddress
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from lib.core import patience
from lib.core.errors import BadInput, EngineError
from lib.core.http import (
    CONNECT_SECONDS,
    LONGEST_ERROR,
    explained,
    lines_of,
    local,
)
from lib.engines.ollama.questions import Questions, is_timeout, stuck
from lib.engines.ollama.words import explained_error

DEFAULT_PORT = 11434
QUESTION_SECONDS = 10.0  # so long a question may be under way that no page waits for

BROKEN_OFF = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)

_PORTS = {"": DEFAULT_PORT, "http": 80, "https": 443}
_PLACE = re.compile(
    r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[A-Za-z0-9._-]{0,253}))(?::(?P<port>\d{1,5}))?"
)
_EVERYWHERE = str(ipaddress.IPv4Address(0))
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")

Shape = TypeVar("Shape")


class Details(BaseModel):
    """What Ollama read from a model's file."""

    quantization_level: str = ""
    context_length: int | None = None  # trained; older versions tell it in `/api/show` alone


class Tag(BaseModel):
    """A model on Ollama's disk, as `/api/tags` lists it."""

    name: str
    size: int = 0
    digest: str = ""
    details: Details = Field(default_factory=Details)
    capabilities: list[str] | None = None
    remote_host: str = ""  # where it really runs, if not here


class Loaded(BaseModel):
    """A model in memory, as `/api/ps` lists it."""

    name: str
    size: int = 0
    size_vram: int | None = None  # of it on graphics cards
    context_length: int | None = None


class Shown(BaseModel):
    """A model's details, as `/api/show` tells them."""

    template: str = ""
    modelfile: str = ""
    parameters: str = ""
    model_info: dict[str, Any] = Field(default_factory=dict)
    capabilities: list[str] | None = None


class Version(BaseModel):
    """The answer of `/api/version`."""

    version: str


class _Listing(BaseModel):
    models: list[Any] | None = None


class Step(BaseModel):
    """A line of a pull or a creation; `completed` and `total` are bytes of one layer."""

    status: str = ""
    digest: str = ""
    total: int = 0
    completed: int = 0
    error: str | None = None


def address() -> str:
    """Ollama's base URL from `OLLAMA_HOST`, in every form that Ollama itself takes.

    BadInput where it is none; what it says is not repeated, because it may hold a password.
    """
    return parsed_address(os.environ.get("OLLAMA_HOST", ""))


def parsed_address(text: str) -> str:
    """The base URL that a value of `OLLAMA_HOST` means; BadInput where it means none."""
    text = text.strip().strip("\"'")
    scheme, _, rest = text.rpartition("://")
    place, slash, path = rest.partition("/")
    match = _PLACE.fullmatch(f"[{place}]" if place.count(":") > 1 and "[" not in place else place)
    if not match or scheme not in _PORTS or not _PATH.fullmatch(path):
        raise _no_address()
    try:
        host = _reachable(match["host"], match["six"])
        port = _port(match["port"], scheme)
        return str(httpx.URL(f"{scheme or 'http'}://{host}:{port}{slash}{path}")).rstrip("/")
    except (ValueError, httpx.InvalidURL) as error:
        raise _no_address() from error


def _reachable(host: str | None, six: str | None) -> str:
    """The host as it goes into a URL; one that means "everywhere" becomes loopback.

    ValueError where `six` is no IPv6 address.
    """
    if six is not None:
        ip = ipaddress.IPv6Address(six)
        return "[::1]" if ip.is_unspecified else f"[{ip}]"
    return "127.0.0.1" if not host or host == _EVERYWHERE else host


def _port(digits: str | None, scheme: str) -> int:
    """The port as given, else the one of the scheme; ValueError where there is none such."""
    port = int(digits or _PORTS[scheme])
    if not 0 < port < 65_536:
        raise ValueError(port)
    return port


def _no_address() -> BadInput:
    return BadInput(
        "OLLAMA_HOST is not an address.",
        f"Set it to host:port, for example 127.0.0.1:{DEFAULT_PORT}, and start Berth again.",
    )


QUESTIONS = Questions()


def ask(path: str, shape: type[Shape], body: Any = None) -> Shape:
    """What a quick question answers: a GET, or a POST where there is a `body`.

    A page gets what was answered last where Ollama is late; a command asks for itself.
    """
    server, method = address(), "GET" if body is None else "POST"
    question = f"{path} {body}"
    if patience.is_a_commands():
        answer = _asked(server, method, path, body)
        QUESTIONS.learn(server, question, answer)
    else:
        send = partial(_call, server, method, path, body, QUESTION_SECONDS)
        answer = QUESTIONS.ask(server, question, send)
    return parsed(answer, shape)


def _asked(server: str, method: str, path: str, body: Any) -> bytes:
    try:
        return _call(server, method, path, body, patience.seconds())
    except EngineError as error:
        if is_timeout(error):
            raise stuck() from error
        raise


def silent_seconds() -> float:
    """How old is what pages show of Ollama, where it has stopped to answer; 0 where it answers."""
    return QUESTIONS.silent_seconds(address())


def has_changed() -> None:
    """What Ollama is asked from now on counts, and not what was asked before."""
    QUESTIONS.forget_sent(address())


def listing(path: str, shape: type[Shape]) -> list[Shape]:
    """The models that a quick GET lists, without the rows that make no sense."""
    row, rows = TypeAdapter(shape), []
    for entry in ask(path, _Listing).models or []:
        with suppress(ValidationError):
            rows.append(row.validate_python(entry))
    return rows


def call(method: str, path: str, body: Any, seconds: float) -> bytes:
    """What one request answers within `seconds`; an error in words otherwise."""
    return _call(address(), method, path, body, seconds)


def _call(server: str, method: str, path: str, body: Any, seconds: float) -> bytes:
    url = server + path
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    with explained(url):
        answer = local().request(method, url, json=body, timeout=timeout)
    if answer.is_error:
        raise explained_error(answer.text[:LONGEST_ERROR], answer.status_code)
    return answer.content


def has(path: str) -> bool:
    """Is there something at this path?"""
    url = address() + path
    with explained(url):
        return local().head(url).is_success


def upload(path: str, pieces: Iterator[bytes], seconds: float) -> None:
    """Send bytes; `seconds` is how long Ollama may be silent, and may take to store them."""
    url = address() + path
    with explained(url):
        answer = local().post(url, content=pieces, timeout=httpx.Timeout(seconds))
    if answer.is_error:
        raise explained_error(answer.text[:LONGEST_ERROR], answer.status_code)


def steps(path: str, body: Any, silence_seconds: float) -> Generator[Step, None, None]:
    """The progress of a pull or a creation, up to its success.

    An error where Ollama reports one, is silent for `silence_seconds`, or ends without success.
    Closing the iterator ends the request, and so a pull; its parts stay for the next one.
    """
    url = address() + path
    timeout = httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS)
    with (
        _whole(),
        explained(url),
        local().stream("POST", url, json=body, timeout=timeout) as answer,
    ):
        if answer.is_error:
            answer.read()
            raise explained_error(answer.text[:LONGEST_ERROR], answer.status_code)
        for line in lines_of(answer.iter_bytes()):
            step = parsed(line, Step)
            if step.error is not None:
                raise explained_error(step.error)
            yield step
            if step.status == "success":
                return
        raise _broken_off()


@contextmanager
def _whole() -> Iterator[None]:
    """Names a stream that was cut for what it is."""
    try:
        yield
    except EngineError as error:
        if isinstance(error.__cause__, BROKEN_OFF):
            raise _broken_off() from error
        raise


def parsed(data: str | bytes, shape: type[Shape]) -> Shape:
    """JSON of Ollama's as `shape`; EngineError where it is something else."""
    try:
        return TypeAdapter(shape).validate_json(data)
    except ValidationError as error:
        raise EngineError(
            "What answers at the address of Ollama is not Ollama.",
            "Look at OLLAMA_HOST, and at what else listens on this port.",
        ) from error


def _broken_off() -> EngineError:
    return EngineError("Ollama broke off before it was done.", "Try again: it goes on from there.")
