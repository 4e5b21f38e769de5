"""What is said to who speaks plain HTTP where only HTTPS is spoken."""

import json

import pytest

from lib.sharing.arrivals import answer

URL = "https://192.168.1.5:8501"
PAGE = b"GET /Chat?x=1 HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html,*/*\r\n\r\n"


def test_a_browser_is_led_to_the_start_page_and_nowhere_else() -> None:
    said = answer(PAGE, URL).decode()
    assert said.startswith("HTTP/1.1 307 Temporary Redirect\r\n")
    assert f"\r\nlocation: {URL}/\r\n" in said
    assert "evil" not in said


@pytest.mark.parametrize(
    "sent",
    [
        PAGE.replace(b"GET", b"POST"),
        PAGE.replace(b"text/html", b"*/*"),
        PAGE.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer secret\r\n\r\n"),
        b"",
        b"\x00\xff",
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_anything_else_is_refused_in_words(sent: bytes) -> None:
    head, _, body = answer(sent, URL).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["error"]["fix"] == f"Open it as {URL}."
