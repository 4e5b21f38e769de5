"""Requests whose end two servers could see at two places: refused, and the connection closed.

Behind each comes a second request, for what no client of a proxy should be able to ask.
"""

import pytest

from tests.support.attacks import Place, request, said, statuses

BIG = 2_000_000
LENGTHS = {
    "both lengths": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "both lengths, the other way round": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "two lengths": ("Content-Length: 0", "Content-Length: 4"),
    "one length twice": ("Content-Length: 2", "Content-Length: 2"),
    "a list of lengths": ("Content-Length: 2, 2",),
    "a length with a plus": ("Content-Length: +2",),
    "a length below nothing": ("Content-Length: -1",),
    "a length in hexadecimal": ("Content-Length: 0x2",),
    "a length that no number holds": (f"Content-Length: {'9' * 30}",),
    "a length with a gap": ("Content-Length: 0 2",),
    "a folded length": ("Content-Length:", " 2"),
    "an encoding that is none": ("Transfer-Encoding: xchunked",),
    "an encoding of old": ("Transfer-Encoding: identity",),
    "an encoding behind chunked": ("Transfer-Encoding: chunked, identity",),
    "two encodings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "a gap before the colon": ("Transfer-Encoding : chunked",),
    "a folded encoding": ("Transfer-Encoding:", " chunked"),
    "an odd space": ("Transfer-Encoding: \x0bchunked",),
    "a header behind a bare line feed": ("X: y\nTransfer-Encoding: chunked", "Content-Length: 5"),
    "a header behind a bare return": ("X: y\rTransfer-Encoding: chunked",),
    "a header with nothing in it": ("X: y\0z", "Content-Length: 2"),
    "a name with a space": ("Content Length: 2",),
}
PIECES = {
    "a size that no number holds": b"1" + b"0" * 15 + b"2\r\n{}\r\n0\r\n\r\n",
    "a size below nothing": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a piece that is longer than its size": b"2\r\n{}}\r\n0\r\n\r\n",
    "lines that end in a line feed": b"2\n{}\n0\n\n",
}
ENDLESS = {
    "a size of two million digits": b"0" * BIG + b"2\r\n{}\r\n0\r\n\r\n",
    "a size with two million letters beside it": b"2;" + b"a" * BIG + b"\r\n{}\r\n0\r\n\r\n",
    "many headers behind the body": b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 300_000,
    "one endless header behind the body": b"2\r\n{}\r\n0\r\nX: " + b"y" * BIG,
}


def head(place: Place, *headers: str, url: str = "") -> bytes:
    """The beginning of a request that changes something, at either listener."""
    at = url.partition("//")[2] or place.server.host
    shown = (f"Host: {at}", "Content-Type: application/json", f"Cookie: {place.cookie}")
    return request("POST /api/models/nobody/stop HTTP/1.1", *shown, *headers)


def second(place: Place) -> bytes:
    """What must never be taken for a request."""
    return request("DELETE /api/models/asleep HTTP/1.1", f"Host: {place.server.host}")


@pytest.mark.parametrize("is_guest", [False, True], ids=["owner", "guest"])
@pytest.mark.parametrize("headers", LENGTHS.values(), ids=list(LENGTHS))
def test_a_length_that_can_be_read_in_two_ways_is_refused(
    place: Place, headers: tuple[str, ...], is_guest: bool
) -> None:
    url = place.url if is_guest else place.server.url
    answer = said(url, head(place, *headers, url=url) + b"0\r\n\r\n" + second(place))
    assert statuses(answer) == [400]


@pytest.mark.parametrize("pieces", PIECES.values(), ids=list(PIECES))
def test_pieces_that_can_be_read_in_two_ways_are_refused(place: Place, pieces: bytes) -> None:
    data = head(place, "Transfer-Encoding: chunked") + pieces + second(place)
    assert statuses(said(place.server.url, data)) == [400]


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=list(ENDLESS))
def test_what_comes_beside_a_body_has_its_size_too(place: Place, pieces: bytes) -> None:
    data = head(place, "Transfer-Encoding: chunked") + pieces
    assert [one for one in statuses(said(place.server.url, data)) if one < 400] == []


def test_lines_that_end_in_a_line_feed_are_no_request(place: Place) -> None:
    data = head(place, "Content-Length: 2").replace(b"\r\n", b"\n") + b"{}" + second(place)
    assert statuses(said(place.server.url, data)) == [400]


@pytest.mark.parametrize(
    "trailer", ["X-Forwarded-For: 1.2.3.4", "Origin: http://evil.example", "Via: 1.1 a"]
)
def test_a_header_behind_the_body_counts_for_nothing(place: Place, trailer: str) -> None:
    """A proxy that takes such a header away from a request leaves it standing there."""
    end = f"2\r\n{{}}\r\n0\r\n{trailer}\r\n\r\n".encode()
    data = head(place, "Transfer-Encoding: chunked", "Connection: close") + end
    assert statuses(said(place.server.url, data)) == [404]  # let in: there is no such model


def test_a_cookie_behind_the_body_signs_nobody_in(place: Place) -> None:
    shown = (f"Host: {place.host}", "Content-Type: application/json", "Connection: close")
    start = request("POST /api/models/fake/stop HTTP/1.1", *shown, "Transfer-Encoding: chunked")
    end = f"2\r\n{{}}\r\n0\r\nCookie: {place.cookie}\r\n\r\n".encode()
    assert statuses(said(place.url, start + end)) == [401]


def test_what_follows_a_refused_websocket_is_no_request(place: Place) -> None:
    evil = ("Upgrade: websocket", "Connection: Upgrade", "Origin: http://evil.example")
    key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    shown = (f"Host: {place.server.host}", *evil, *key)
    data = request("GET /_stcore/stream HTTP/1.1", *shown) + second(place)
    assert statuses(said(place.server.url, data)) == [403]


def test_another_protocol_is_not_begun(place: Place) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    assert statuses(said(place.server.url, preface)) == [400]
    shown = (f"Host: {place.server.host}", "Connection: Upgrade, close", "Upgrade: h2c")
    asked = request("GET /api/health HTTP/1.1", *shown)
    assert 101 not in statuses(said(place.server.url, asked))
