"""A Hub that refuses, is slow, rude or gone: each trouble in its own words."""

import shutil
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from lib.core.http import outside
from lib.hub import gguf_repositories, look_up, lookups, save_token, search
from lib.hub.api import ask
from lib.hub.errors import Asked
from tests.support.expect import expect_failure
from tests.support.hub_api import OWNER, SEARCH, STRANGER, Fault, HubApi

STARTER = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"


@pytest.mark.parametrize(
    ("repo", "code"),
    [
        ("acme/missing", "repository_not_found"),
        ("acme/Private-1B-GGUF", "repository_not_found"),
        ("acme/Withdrawn-GGUF", "repository_disabled"),
        ("acme/limited", "rate_limited"),
        ("acme/malformed", "hub_unreadable"),
        ("acme/broken", "hub_failed"),
    ],
)
def test_each_trouble_has_a_code_of_its_own(hub: HubApi, repo: str, code: str) -> None:
    expect_failure(code, lambda: look_up(repo))


@pytest.mark.parametrize("status", [304, 400, 404, 451])
def test_no_odd_status_passes_for_an_answer(hub: HubApi, status: int) -> None:
    hub.faults[SEARCH] = Fault(status, body=b"" if status == 304 else b"[]")
    expect_failure("hub_failed", search)


def test_no_more_is_read_than_was_wanted(hub: HubApi) -> None:
    hub.faults["acme/endless"] = Fault(body=b"x" * 1000, drop_seconds=0.1)
    asked = Asked("acme/endless")
    answer = ask("/api/models/acme/endless", asked, seconds=2, limit_bytes=3)
    assert answer.body == b"xxx"


def test_a_revision_that_is_not_there_is_told_apart(hub: HubApi) -> None:
    error = expect_failure("revision_not_found", lambda: look_up(STARTER, "v9"))
    assert "v9" in error.message


def test_bad_names_never_reach_the_hub(hub: HubApi) -> None:
    for act in (
        lambda: look_up("../x"),
        lambda: look_up("acme/A?x=1"),
        lambda: look_up(STARTER, "../../other"),
        lambda: gguf_repositories("a b/c"),
        lambda: search("x", licence="mit&filter=y"),
    ):
        expect_failure("bad_input", act)
    assert not hub.requests


@pytest.mark.parametrize(
    ("token", "repo", "code"),
    [
        (STRANGER, "acme/Private-1B-GGUF", "repository_not_found"),
        (STRANGER, "acme/missing", "repository_not_found"),
        ("hf_" + "z" * 30, STARTER, "token_refused"),
    ],
)
def test_a_token_does_not_open_everything(hub: HubApi, token: str, repo: str, code: str) -> None:
    save_token(token)
    error = expect_failure(code, lambda: look_up(repo))
    assert token not in str(error)


def test_the_owners_token_opens_what_is_private(hub: HubApi) -> None:
    expect_failure("repository_not_found", lambda: look_up("acme/Private-1B-GGUF"))
    save_token(OWNER)
    assert look_up("acme/Private-1B-GGUF").is_private


def test_a_hub_that_is_not_there_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    expect_failure("nothing_listens", lambda: look_up(STARTER))
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    expect_failure("name_unknown", lambda: look_up(STARTER))
    monkeypatch.setenv("HF_ENDPOINT", "not an address")
    expect_failure("network", lambda: look_up(STARTER))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/no/such/file"),
        ("ALL_PROXY", "nonsense://x:y"),
        ("https_proxy", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://proxy.example:nonsense"),
    ],
)
def test_settings_that_let_nothing_out_are_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    outside.cache_clear()
    error = expect_failure("network", lambda: look_up(STARTER))
    outside.cache_clear()
    assert name in error.fix


class Forwarding(BaseHTTPRequestHandler):
    """A proxy that remembers what it was asked for."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.path) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A proxy that the environment names; what it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarding)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    Forwarding.seen.clear()
    outside.cache_clear()
    yield Forwarding.seen
    server.shutdown()
    server.server_close()
    thread.join()
    outside.cache_clear()


@pytest.mark.parametrize(
    "entries",
    ["", "localhost,[::1]", "fd07:b51a:cc66:f0::/64", "[::1]", "nonsense/]", "10.0.0.0/8, ::1"],
)
def test_an_entry_of_no_proxy_that_means_others_changes_nothing(
    hub: HubApi, proxy: list[str], monkeypatch: pytest.MonkeyPatch, entries: str
) -> None:
    monkeypatch.setenv("no_proxy", entries)
    assert look_up(STARTER).id == STARTER
    assert any(path.startswith(hub.url) for path in proxy)


@pytest.mark.parametrize("entries", ["127.0.0.1", "[::1],127.0.0.0/8", "*"])
def test_an_entry_of_no_proxy_that_means_the_hub_is_obeyed(
    hub: HubApi, proxy: list[str], monkeypatch: pytest.MonkeyPatch, entries: str
) -> None:
    monkeypatch.setenv("no_proxy", entries)
    assert look_up(STARTER).id == STARTER
    assert proxy == []


def test_a_slow_hub_does_not_hold_a_search_up(hub: HubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "SEARCH_SECONDS", 0.6)
    hub.faults[SEARCH] = Fault(delay_seconds=20)
    expect_failure("timed_out", lambda: search("anvil"))
    hub.faults[SEARCH] = Fault(body=b" " * 200, drop_seconds=0.1)
    expect_failure("timed_out", lambda: search("anvil"))


def test_something_else_than_tls_is_not_trusted(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("http:", "https:"))
    expect_failure("untrusted", lambda: look_up(STARTER))


def test_a_certificate_that_nobody_signed_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which("openssl")
    if not program:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([program, "req", "-x509", *options, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with QuietServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"https://127.0.0.1:{server.server_port}")
        error = expect_failure("untrusted", lambda: look_up(STARTER))
        server.shutdown()
    assert "certificate" in error.message.lower() or "self" in error.message


class QuietServer(HTTPServer):
    """Says nothing about clients that do not trust it."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Expected."""


def test_a_repository_that_was_renamed_is_followed_with_the_token(hub: HubApi) -> None:
    path = "/api/models/acme/Private-1B-GGUF/revision/main?blobs=true"
    hub.faults["acme/Old-Name"] = Fault(307, {"Location": path})
    save_token(OWNER)
    assert look_up("acme/Old-Name").id == "acme/Private-1B-GGUF"
