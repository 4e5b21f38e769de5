"""Names that lead out of their folder, and paths that lead to an engine or to a file."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin

import pytest

from tests.support.attacks import CLIENT, Place, request, said, statuses
from tests.support.fake_engine import Running
from tests.support.gateway import HELLO

SECRET = "what-only-the-owner-may-read"
UP = (
    "../settings.toml",
    "../../../../../../../etc/passwd",
    "..\\..\\settings.toml",
    "....//....//settings.toml",
    "/etc/passwd",
    "fake/../../settings.toml",
    "./fake",
    "fake/",
    "fake.gguf",
    "~root",
    "con",
    "\0",
    "fake\0",
    "fake%00",
    "\u202efake",
    "\uff0e\uff0e\uff0fsettings.toml",  # what some take for ../ once they have tidied it
    "x" * 5_000,
)
ENCODED = (
    "..%2f..%2fsettings.toml",
    "%2e%2e/%2e%2e/settings.toml",
    "%252e%252e%252fsettings.toml",
    "..%5c..%5csettings.toml",
    "%c0%ae%c0%ae/settings.toml",
    "%c0%af..%c0%afsettings.toml",
    "fake%2f..%2f..%2fsettings.toml",
    "..;/settings.toml",
    "%00",
    "%",
    "%zz",
)
READING = (
    "/{}",
    "/static/{}",
    "/static/js/{}",
    "/media/{}",
    "/api/{}",
    "/api/ui/1/{}",
    "/api/models/{}",
    "/api/deploy/{}",
    "/api/deploy/stream?job={}",
    "/api/models/lookup?repo={}",
    "/api/attachments?c={}",
    "/v1/models/{}",
    "/_stcore/{}",
    "/_stcore/bidi-components/{}",
    "/_stcore/bidi-components/x/{}",
    "/component/{}",
    "/app/static/{}",
    "/Chat?c={}",
    "/Deploy?job={}",
)
WRITING = (
    ("POST", "/api/models/{}/start"),
    ("POST", "/api/models/{}/stop"),
    ("DELETE", "/api/models/{}"),
    ("DELETE", "/api/deploy/{}"),
    ("POST", "/api/deploy/{}/pause"),
    ("POST", "/api/deploy/{}/retry"),
    ("POST", "/api/replies/{}/stop"),
    ("DELETE", "/api/attachments/{}?c=" + "c" * 32),
)
ENGINE_PATHS = (
    "/slots", "/slots/0?action=save", "/props", "/lora-adapters", "/metrics", "/tokenize",
    "/apply-template", "/infill", "/health", "/models/load", "/api/pull", "/api/tags",
    "/v1/lora-adapters", "/v1/slots", "/v1/load_lora_adapter", "/fake/record",
)  # fmt: skip
WAYS = (
    "/v1{}",
    "/v1/..{}",
    "/v1/%2e%2e{}",
    "/v1/.%2e{}",
    "/v1/models/../..{}",
    "/v1/chat/completions/../../..{}",
    "/v1/chat/completions{}",
    "/v1//..{}",
    "/v1/;{}",
    "/v1%2f..{}",
    "/v1\\..{}",
    "//127.0.0.1:{port}{}",
    "http://127.0.0.1:{port}{}",
)
TOLD_BY_ENGINES = ("default_generation_settings", "is_processing", "total_slots", "n_ctx_train")


@pytest.fixture(autouse=True)
def secret(place: Place) -> Iterator[None]:
    """Files beside the models that no name should reach; they are the same afterwards."""
    kept = [place.server.home / name for name in ("secret.gguf", "secret.txt")]
    for path in kept:
        path.write_text(SECRET)
    yield
    assert [path.read_text() for path in kept] == [SECRET] * 2


def answered(place: Place, method: str, path: str) -> bytes:
    """What a request to exactly this path gets; a client would tidy it first."""
    shown = (f"Host: {place.server.host}", "Content-Type: application/json", "Connection: close")
    line = f"{method} {path} HTTP/1.1"
    return said(place.server.url, request(line, *shown, "Content-Length: 0"))


def names() -> list[str]:
    """As they stand in an address."""
    return [*(quote(name, safe="") for name in UP), *(quote(name) for name in UP), *ENCODED]


@pytest.mark.parametrize("path", READING)
def test_no_name_in_an_address_leads_to_another_file(place: Place, path: str) -> None:
    for name in names():
        answer = answered(place, "GET", path.format(name))
        assert statuses(answer)[0] < 500, (name, answer)
        assert SECRET.encode() not in answer
        assert b"root:x:" not in answer
        assert b"share_address" not in answer  # stands in settings.toml


@pytest.mark.parametrize(("method", "path"), WRITING)
def test_no_name_in_an_address_changes_another_file(place: Place, method: str, path: str) -> None:
    for name in names():
        answer = answered(place, method, path.format(name))
        assert statuses(answer)[0] in (307, 400, 404, 405, 422), (name, answer)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "//evil.example/",
        "//evil.example/Chat/",
        "//evil.example/%2e%2e",
        "///evil.example/%2f..",
        "/%2f%2fevil.example/",
        "/%5c%5cevil.example/",
        "/\\evil.example/",
        "/api//evil.example/",
        "/api/deploy/%2f%2fevil.example/",
        "/Chat//evil.example/",
        "/static//evil.example/",
        "/%0d%0aLocation:%20http://evil.example/",
        "/api/deploy/%0d%0aSet-Cookie:%20a=b/",
        "http://evil.example/",
    ],
)
@pytest.mark.parametrize("is_guest", [False, True], ids=["owner", "stranger"])
def test_nobody_is_led_to_another_site(place: Place, path: str, is_guest: bool) -> None:
    url = place.url if is_guest else place.server.url
    shown = (f"Host: {url.partition('//')[2]}", "Connection: close")
    head = said(url, request(f"GET {path} HTTP/1.1", *shown)).partition(b"\r\n\r\n")[0].lower()
    led_to = head.partition(b"\r\nlocation:")[2].partition(b"\r\n")[0].strip().decode()
    assert urljoin(f"{url}/", led_to.replace("\\", "/")).startswith(f"{url}/")
    assert b"\r\nset-cookie: a=b" not in head
    assert head.count(b"\r\nlocation:") <= 1


@pytest.mark.parametrize(
    "field", ["model", "quantization", "file", "name", "revision", "repo", "engine", "slot"]
)
def test_no_name_in_a_deployment_leads_anywhere(place: Place, field: str) -> None:
    honest = {"model": "organisation/name"}
    for name in UP[:5]:
        body = {**honest, field: name}
        answer = CLIENT.post(f"{place.server.url}/api/deploy", json=body, timeout=30)
        assert 400 <= answer.status_code < 500 or answer.status_code == 502, answer.text
        assert SECRET not in answer.text
    assert CLIENT.get(f"{place.server.url}/api/deploy").json()["deployments"] == []


@pytest.mark.parametrize("engine_path", ENGINE_PATHS)
def test_no_path_through_the_gateway_is_an_engines_own(
    place: Place, fake: Running, engine_path: str
) -> None:
    calls, port = len(fake.record()), fake.url.rpartition(":")[2]
    for way in WAYS:
        for method in ("GET", "POST"):
            answer = answered(place, method, way.format(engine_path, port=port))
            assert not any(word.encode() in answer for word in TOLD_BY_ENGINES), way
            assert statuses(answer) != [200] or b"<title>" in answer or b'"ok"' in answer, way
    assert len(fake.record()) == calls


@pytest.mark.parametrize(
    "header", ["X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Forwarded-Prefix"]
)
def test_no_header_names_another_path_or_method(place: Place, fake: Running, header: str) -> None:
    for value in ("/slots", "DELETE", "/api/deploy"):
        headers = {header: value}
        answer = CLIENT.post(f"{place.server.url}/v1/completions", headers=headers, json={})
        assert answer.status_code == 400
        answer = CLIENT.get(f"{place.server.url}/api/models/asleep", headers=headers)
        assert answer.json()["name"] == "asleep"


@pytest.mark.parametrize("name", UP[::2], ids=lambda name: ascii(name)[:20])
def test_no_name_of_a_model_in_a_body_leads_anywhere(
    place: Place, fake: Running, name: str
) -> None:
    calls = len(fake.record())
    for path, body in BODIES.items():
        answer = CLIENT.post(place.server.url + path, json={**body, "model": name})
        told: dict[str, Any] = answer.json()["error"]
        assert answer.status_code in (400, 404)
        assert told["message"]
        assert len(json.dumps(told)) < 1_000
    assert len(fake.record()) == calls


BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": HELLO,
    "/v1/embeddings": {"input": "a"},
    "/v1/rerank": {"query": "a", "documents": ["b"]},
    "/v1/responses": {"input": "a"},
    "/v1/messages": {**HELLO, "max_tokens": 5},
}
