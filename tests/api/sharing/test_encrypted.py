"""The guests' listener with a certificate: what a browser sees, and who speaks no TLS."""

import contextlib
import hashlib
import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support import certificates as made
from tests.support.guests import (
    CODE,
    guests_url,
    lan_address,
    lay_sharing,
    login,
    signed_in,
    websocket,
)
from tests.support.server import Server, running_server
from tests.support.waiting import until

ENCRYPTED = ('share_encryption = "berth"',)


class Shared:
    """A server that encrypts what guests send, and where they reach it."""

    def __init__(self, server: Server) -> None:
        self.server, self.url = server, guests_url(server, "https")
        self.host = self.url.partition("//")[2]
        self.place = (lan_address(), server.port)

    def get(self, path: str, cookie: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Cookie": cookie, **headers}, verify=False)

    def plain(self, text: str) -> bytes:
        """What is answered to this, which is not encrypted."""
        with socket.create_connection(self.place, timeout=10) as connection:
            connection.sendall(text.encode())
            found = b""
            while piece := connection.recv(4096):
                found += piece
            return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("berth")
    lay_sharing(home, more=ENCRYPTED)
    with running_server(home, {"BERTH_HEADER_SECONDS": "2"}) as server:
        yield Shared(server)


def told(server: Server) -> dict[str, object]:
    answer: dict[str, object] = httpx.get(f"{server.url}/api/sharing").json()
    return answer


def seen(place: tuple[str, int]) -> bytes:
    """The certificate that anybody sees who connects."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with anybody.wrap_socket(socket.create_connection(place, timeout=10)) as encrypted:
        return encrypted.getpeercert(binary_form=True) or b""


def test_the_fingerprint_that_the_owner_sees_is_what_guests_see(shared: Shared) -> None:
    known = told(shared.server)
    assert known["url"] == shared.url
    digest = hashlib.sha256(seen(shared.place)).hexdigest().upper()
    assert str(known["fingerprint"]).replace(":", "") == digest
    assert re.fullmatch("[0-9A-F]{2}(:[0-9A-F]{2}){31}", str(known["fingerprint"]))


def test_the_certificate_is_for_the_address_and_its_key_is_the_owners_alone(
    shared: Shared,
) -> None:
    home = shared.server.home / "tls"
    trusting = ssl.create_default_context(cafile=home / "certificate.pem")
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    connection = socket.create_connection(shared.place, timeout=10)
    with trusting.wrap_socket(connection, server_hostname=lan_address()) as encrypted:
        assert encrypted.version() in ("TLSv1.2", "TLSv1.3")
    assert (home / "key.pem").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_old_protocols_are_refused(shared: Shared) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    connection = socket.create_connection(shared.place, timeout=10)
    with connection, pytest.raises(ssl.SSLError):
        old.wrap_socket(connection)


def test_a_login_is_a_cookie_that_is_never_sent_in_the_clear(shared: Shared) -> None:
    header = login(shared.url).headers["set-cookie"]
    assert header.startswith("__Host-berth_guest=")
    for part in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=strict"):
        assert part in header
    assert "Domain" not in header
    cookie = signed_in(shared.url)
    assert shared.get("/api/health", cookie).status_code == 200
    assert shared.get("/api/health", cookie.removeprefix("__Host-")).status_code == 401


def test_a_page_of_the_same_host_that_is_not_encrypted_is_a_foreign_one(shared: Shared) -> None:
    cookie = signed_in(shared.url)
    assert shared.get("/", cookie, Origin=shared.url).status_code == 200
    assert shared.get("/", cookie, Origin=f"http://{shared.host}").status_code == 403


def test_websockets_are_encrypted_too(shared: Shared) -> None:
    cookie = signed_in(shared.url)
    with websocket(shared.url, "/api/guests/watch", cookie) as watching:
        watching.ping().wait(5)
    with pytest.raises(InvalidStatus):
        websocket(shared.url, "/api/guests/watch", cookie[:-9] + "x" * 9)


def test_a_browser_that_comes_in_the_clear_is_led_to_the_right_address(shared: Shared) -> None:
    answer = shared.plain(f"GET /Chat HTTP/1.1\r\nHost: {shared.host}\r\nAccept: text/html\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 307 ")
    assert f"\r\nlocation: {shared.url}/\r\n".encode() in answer
    evil = shared.plain("GET /\r\nx: y HTTP/1.1\r\nHost: evil\r\nAccept: text/html\r\n\r\n")
    assert b"evil" not in evil


@pytest.mark.parametrize(
    "text",
    [
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "GET /v1/models HTTP/1.1\r\nAccept: text/html\r\nAuthorization: Bearer x\r\n\r\n",
        "nonsense",
    ],
)
def test_a_program_that_sends_in_the_clear_is_told_so(shared: Shared, text: str) -> None:
    head, _, body = shared.plain(text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "not_encrypted"
    assert shared.url in json.loads(body)["error"]["fix"]


def test_who_says_nothing_is_closed_and_keeps_nobody_out(shared: Shared) -> None:
    silent = [socket.create_connection(shared.place, timeout=20) for _ in range(80)]
    try:
        assert httpx.get(f"{shared.server.url}/api/health").status_code == 200
        half = silent[0]
        half.sendall(b"\x16\x03\x01")  # the beginning of a handshake
        assert half.recv(1) == b""
        for one in silent[1:]:
            assert one.recv(1) == b""
    finally:
        for one in silent:
            one.close()
    assert login(shared.url).status_code == 200


def test_a_cookie_that_was_stolen_is_worth_nothing_after_the_guest_has_left(
    shared: Shared,
) -> None:
    cookie = signed_in(shared.url)
    with websocket(shared.url, "/api/guests/watch", cookie) as watching:
        headers = {"Cookie": cookie, "Origin": shared.url}
        answer = httpx.post(f"{shared.url}/api/logout", json={}, headers=headers, verify=False)
        assert answer.status_code == 200
        assert "__Host-berth_guest=" in answer.headers["set-cookie"]
        assert "Max-Age=0" in answer.headers["set-cookie"]
        with pytest.raises(ConnectionClosed):
            watching.recv(timeout=10)
    assert shared.get("/api/health", cookie).status_code == 401
    with pytest.raises(InvalidStatus):
        websocket(shared.url, "/api/guests/watch", cookie)
    assert login(shared.url).status_code == 200


def test_a_restart_shows_the_same_certificate(home: Path) -> None:
    lay_sharing(home, more=ENCRYPTED)
    found = set()
    for _ in range(2):
        with running_server(home) as server:
            guests_url(server)
            found.add(seen((lan_address(), server.port)))
    assert len(found) == 1


def test_a_certificate_of_the_owners_is_used_with_the_names_in_it(
    home: Path, tmp_path: Path
) -> None:
    file, key = made.make(tmp_path, "DNS:berth.lan,DNS:localhost")
    paths = (f'share_certificate = "{file}"', f'share_key = "{key}"')
    lay_sharing(home, more=('share_encryption = "own"', *paths))
    with running_server(home) as server:
        by_address = guests_url(server, "https")
        assert told(server)["url"] == f"https://berth.lan:{server.port}"
        for host, status in (
            (f"berth.lan:{server.port}", 200),
            (f"BERTH.lan:{server.port}", 200),
            (by_address.partition("//")[2], 200),
            (f"localhost:{server.port}", 421),
            ("berth.lan", 421),
            (f"evil.example:{server.port}", 421),
        ):
            told_host = {"Host": host, "Cookie": signed_in(by_address)}
            answer = httpx.get(f"{by_address}/api/health", headers=told_host, verify=False)
            assert answer.status_code == status, host


def test_a_certificate_that_cannot_be_used_is_told_and_nothing_is_shared(
    home: Path, tmp_path: Path
) -> None:
    file, key = made.make_expired(tmp_path)
    paths = (f'share_certificate = "{file}"', f'share_key = "{key}"')
    lay_sharing(home, more=('share_encryption = "own"', *paths))
    with running_server(home) as server:
        until(lambda: bool(told(server)["problem"]), "the reason")
        assert "has expired" in str(told(server)["problem"])
        with pytest.raises(OSError):
            socket.create_connection((lan_address(), server.port), timeout=2)
    assert CODE not in server.output


def test_many_who_begin_to_shake_hands_take_no_more_than_their_places(home: Path) -> None:
    lay_sharing(home, more=ENCRYPTED)
    with running_server(home, files=512) as server:
        url = guests_url(server, "https")
        place = (lan_address(), server.port)
        held = [
            socket.create_connection(place, 10, (f"127.0.0.{3 + number % 20}", 0))
            for number in range(200)
        ]
        try:
            for one in held[::2]:
                with contextlib.suppress(OSError):
                    one.sendall(b"\x16\x03\x01")
            few = GUESTS_AT_512_FILES  # long before their time for a header is over
            until(lambda: _open_to(server, place) <= few, "the end of the rest", seconds=5)
            assert login(url).status_code == 200
            assert httpx.get(f"{server.url}/api/health").status_code == 200
        finally:
            for one in held:
                one.close()


GUESTS_AT_512_FILES = 64


def _open_to(server: Server, place: tuple[str, int]) -> int:
    found = psutil.Process(server.process.pid).net_connections()
    return sum(one.laddr == place and one.status == psutil.CONN_ESTABLISHED for one in found)
