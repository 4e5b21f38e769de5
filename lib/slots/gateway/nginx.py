"""nginx's part as text: an allow-list of addresses before the engines and LiteLLM.

Each address is an exact one with a fixed target, so nothing that a client encodes, doubles or
climbs gets anywhere else: nginx takes an address apart before it looks for its place, and passes on
what stands here. vLLM's key guards only its /v1; /invocations and others answer everybody, and are
404 here. The clients send the keys themselves; none is in this file. For nginx 1.18 and newer.
"""

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm.places import port as slot_port
from lib.slots.gateway.litellm import HOST, PORTS

OLDEST = (1, 18)
LARGEST_BODY_MB = 64  # pictures come inside of requests
DEFAULT_PORT = 8100
# vLLM and LiteLLM close a connection that was idle for 5 s: nginx must be the first to let go.
IDLE_SECONDS = 4
MODELS = "models"
# What may be posted, below /v1/ of LiteLLM and of each slot.
POSTED = (
    "chat/completions",
    "completions",
    "embeddings",
    "responses",
    "messages",
    "messages/count_tokens",
)
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ACTIVE = re.compile(r"upstream berth_litellm \{\s*server 127\.0\.0\.1:(\d+);")


def host_name(text: str) -> str:
    """A name or an IP address as a client may write it into `Host`, or BadInput."""
    bare = text.removeprefix("[").removesuffix("]")
    try:
        is_v6 = ipaddress.ip_address(bare).version == 6
    except ValueError:
        is_v6 = False
    if is_v6:
        return f"[{bare}]"
    if not _HOST_NAME.fullmatch(text):
        raise BadInput(f"“{shown(text)}” is not a host's name.", "Write it as llm.example.org.")
    return text


HostName = Annotated[str, AfterValidator(host_name)]


class Front(Frozen):
    """Where nginx listens for us, always on loopback, and the names by which it may be asked."""

    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535)
    hosts: tuple[HostName, ...] = ("localhost", HOST, "[::1]")


def config_text(front: Front, slots: Sequence[int], litellm_port: int | None) -> str:
    """/etc/nginx/conf.d/berth.conf; `litellm_port` None: there is no LiteLLM."""
    upstreams = [_upstream(_slot_name(slot), slot_port(slot)) for slot in slots]
    upstreams += [_upstream("berth_litellm", litellm_port)] if litellm_port else []
    head = (
        "# Written by Berth, which writes it anew with each deployment: changes here are lost.\n"
        "# The list of what may be reached; everything else is 404.\n"
    )
    return "\n".join([head, *upstreams, _strangers(front), _server(front, slots, litellm_port)])


def litellm_port(text: str) -> int | None:
    """To which LiteLLM a configuration of ours leads; None where it leads to none."""
    found = _ACTIVE.search(text)
    return int(found[1]) if found and int(found[1]) in PORTS else None


def _slot_name(slot: int) -> str:
    return f"berth_slot_{slot}"


def _upstream(name: str, to: int) -> str:
    return (
        f"upstream {name} {{\n  server {HOST}:{to};\n  keepalive 16;\n"
        f"  keepalive_timeout {IDLE_SECONDS}s;\n}}\n"
    )


def _strangers(front: Front) -> str:
    """Requests for other hosts, and those that name none: a page elsewhere may be behind them."""
    inner = ["server_name _;", *_manners(), *_answers(), "location / { return 404; }"]
    return _block("server", [f"listen {HOST}:{front.port} default_server;", *inner])


def _server(front: Front, slots: Sequence[int], litellm_port: int | None) -> str:
    lines = [
        f"listen {HOST}:{front.port};",
        f"server_name {' '.join(front.hosts)};",
        *_manners(),
        *_passing(),
        *_answers(),
        "location / { return 404; }",
        "location = /health {",
        "  default_type application/json;",
        """  return 200 '{"status": "ok"}';""",
        "}",
    ]
    if litellm_port:
        lines += _routes("/v1", "berth_litellm")
        lines += _location("/v1/models/", "berth_litellm", "/v1/models/", "GET", is_exact=False)
    for slot in slots:
        lines += _routes(f"/slot-{slot}/v1", _slot_name(slot))
    return _block("server", lines)


def _routes(prefix: str, upstream: str) -> Iterator[str]:
    yield from _location(f"{prefix}/{MODELS}", upstream, f"/v1/{MODELS}", "GET")
    for route in POSTED:
        yield from _location(f"{prefix}/{route}", upstream, f"/v1/{route}", "POST")


def _location(
    address: str, upstream: str, target: str, method: str, *, is_exact: bool = True
) -> Iterator[str]:
    allowed = "^(GET|HEAD)$" if method == "GET" else "^POST$"
    yield f"location {'= ' if is_exact else ''}{address} {{"
    yield f"  if ($request_method !~ {allowed}) {{ return 405; }}"
    yield f"  proxy_pass http://{upstream}{target};"
    yield "}"


def _manners() -> list[str]:
    return [
        "merge_slashes on;  # a base address that ends in / makes //models",
        "server_tokens off;",
        "access_log off;  # engines and LiteLLM keep their own",
        "gzip off;",
        f"client_max_body_size {LARGEST_BODY_MB}m;",
        "absolute_redirect off;",
    ]


def _passing() -> list[str]:
    """How a request is passed on: at once, piece by piece, once, and under a fixed host."""
    return [
        "proxy_http_version 1.1;  # with 1.0 a stream comes in lumps",
        'proxy_set_header Connection "";',
        "proxy_set_header Host localhost;",
        'proxy_set_header Forwarded "";',
        'proxy_set_header X-Forwarded-For "";',
        'proxy_set_header X-Forwarded-Host "";',
        'proxy_set_header X-Forwarded-Proto "";',
        'proxy_set_header X-Real-IP "";',
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        "proxy_cache off;",
        "proxy_redirect off;",
        "proxy_next_upstream off;  # nothing is done twice",
        "proxy_ignore_client_abort off;  # a client that leaves ends the engine's work",
        "proxy_intercept_errors off;",
        "proxy_connect_timeout 5s;",
        "proxy_send_timeout 3600s;",
        "proxy_read_timeout 3600s;",
    ]


# Status, code for programs, what happened, what to do.
_ERRORS = (
    (400, "bad_input", "This is not a request that nginx understands.", "Check its address."),
    (404, "not_found", "There is nothing at this address.", "Base addresses end in /v1."),
    (405, "bad_input", "This address does not take that method.", "Post to it, or get models."),
    (413, "too_large", f"A request has at most {LARGEST_BODY_MB} MB.", "Send smaller pictures."),
    (414, "too_large", "The address of this request is too long.", "Send it in the body."),
    (502, "engine_down", "Nothing answers behind nginx.", "Start the model, then try again."),
    (504, "engine_down", "The engine did not answer in time.", "Try again when it is idle."),
)


_WITHOUT_ADDRESS = (400, 414)


def _answers() -> Iterator[str]:
    """Errors of nginx's own as JSON; those of engines and LiteLLM pass as they are.

    Those of an address that cannot be taken apart need one of their own: nginx answers 500 where a
    request without an address is sent to a named place.
    """
    yield "default_type application/json;"
    for status, code, message, fix in _ERRORS:
        body = json.dumps({"error": {"code": code, "message": message, "fix": fix}})
        if status in _WITHOUT_ADDRESS:
            codes = "400 494" if status == 400 else status  # 494: headers without end
            yield f"error_page {codes} /berth/{status};"
            yield f"location = /berth/{status} {{ internal; return {status} '{body}'; }}"
        else:
            yield f"error_page {status} = @berth_{status};"
            yield f"location @berth_{status} {{ return {status} '{body}'; }}"


def _block(name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{name} {{", *(f"  {line}" for line in lines), "}", ""])
