"""What nginx lets nobody reach, asked word for word over a socket."""

import json
import socket

import pytest

from tests.support.gateway_box import GatewayBox

CLOSED = [
    "/",
    "/invocations",
    "/tokenize",
    "/detokenize",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/redoc",
    "/pooling",
    "/score",
    "/rerank",
    "/classify",
    "/ping",
    "/version",
    "/load",
    "/scale_elastic_ep",
    "/collective_rpc",
    "/routes",
    "/ui",
    "/key/generate",
    "/user/new",
    "/model/new",
    "/config/update",
    "/health/readiness",
    "/v1",
    "/v1/",
    "/v1/score",
    "/v1/rerank",
    "/v1/files",
    "/v1/load_lora_adapter",
    "/v1/chat/completions/x",
    "/v1/completionsx",
    "/v1/responses/resp_1",
    "/v1/messages/batches",
    "/slot-50/v1/models/anvil",
    "/slot-50/v1/embeddings/x",
    "/slot-50/",
    "/slot-50/invocations",
    "/slot-50/metrics",
    "/slot-50/tokenize",
    "/slot-50/openapi.json",
    "/slot-50/v1/load_lora_adapter",
    "/slot-5/v1/models",
    "/slot-50x/v1/models",
    "/slot-51/v1/models",
    "/v1/../invocations",
    "/slot-50/v1/../invocations",
    "/slot-50/v1/models/../../invocations",
    "/slot-50/v1/%2e%2e/invocations",
    "/slot-50/v1/%2E%2E%2Finvocations",
    "/slot-50/v1/models%2f..%2f..%2finvocations",
    "/slot-50/v1/models/..%2f..%2finvocations",
    "/slot-50//invocations",
    "//invocations",
    "/slot-50/v1/;/../../invocations",
    "/slot-50/v1/models;/../invocations",
    "/v1/models/..%2f..%2fkey%2fgenerate",
    "/v1/chat/completions/../../../key/generate",
    "/V1/models",
    "/v1/models?x=1/../../invocations/",
]
METHODS = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]


def asked(line: str, *headers: str) -> tuple[int, bytes]:
    """The answer to a request of exactly this first line: status and body."""
    with socket.create_connection(("127.0.0.1", 8100), timeout=20) as client:
        text = "\r\n".join([line, *headers, "Connection: close", "", ""])
        client.sendall(text.encode("latin-1"))
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def with_keys(machine: GatewayBox, line: str, host: str = "localhost") -> tuple[int, bytes]:
    return asked(line, f"Host: {host}", f"Authorization: Bearer {machine.master_key()}")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("address", CLOSED)
def test_what_is_not_on_the_list_is_not_there(
    served: GatewayBox, method: str, address: str
) -> None:
    calls = len(served.ended(50))
    status, body = with_keys(served, f"{method} {address} HTTP/1.1")
    if address.startswith("/v1/models?"):  # what follows a ? is no part of the address
        assert status == (200 if method == "GET" else 405)
        return
    assert status == 404, body
    assert json.loads(body)["error"]["code"] == "not_found"
    assert len(served.ended(50)) == calls


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("address", ["/v1/chat/completions", "/v1/models", "/slot-50/v1/models"])
def test_other_methods_are_refused(served: GatewayBox, method: str, address: str) -> None:
    status, _ = with_keys(served, f"{method} {address} HTTP/1.1")
    assert status == 405


@pytest.mark.parametrize(
    ("method", "address"), [("GET", "/v1/chat/completions"), ("POST", "/v1/models")]
)
def test_each_address_takes_its_own_method_alone(
    served: GatewayBox, method: str, address: str
) -> None:
    assert with_keys(served, f"{method} {address} HTTP/1.1")[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", ""])
def test_another_host_finds_nothing(served: GatewayBox, host: str) -> None:
    assert with_keys(served, "GET /v1/models HTTP/1.1", host)[0] in (400, 404)


def test_a_whole_address_in_the_first_line_does_not_get_around_that(served: GatewayBox) -> None:
    assert with_keys(served, "GET http://evil.example/v1/models HTTP/1.1")[0] == 404


def test_an_old_request_without_a_host_finds_nothing(served: GatewayBox) -> None:
    key = f"Authorization: Bearer {served.master_key()}"
    assert asked("GET /v1/models HTTP/1.0", key)[0] == 404


def test_an_old_request_with_a_host_finds_what_others_find(served: GatewayBox) -> None:
    assert with_keys(served, "GET /v1/models HTTP/1.0")[0] == 200
    assert with_keys(served, "GET /invocations HTTP/1.0")[0] == 404


@pytest.mark.parametrize("line", ["GET /../../etc/passwd HTTP/1.1", "GET /v1/%zz HTTP/1.1", "NO"])
def test_what_is_no_request_is_refused(served: GatewayBox, line: str) -> None:
    assert with_keys(served, line)[0] == 400
