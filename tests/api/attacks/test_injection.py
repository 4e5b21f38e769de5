"""Line ends and signs for terminals in names and headers; prompts and keys in addresses; logs."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.attacks import CLIENT, Place, request, said, statuses
from tests.support.fake_engine import Running
from tests.support.gateway import HELLO
from tests.support.guests import login
from tests.support.session import opened

MARK = "x-evil"
SPLITS = (
    f"a\r\n{MARK}: yes\r\n\r\n<html>",
    f"a\n{MARK}: yes",
    f"a\r{MARK}: yes",
    f"a\u2028{MARK}: yes",
    f"a\u0085{MARK}: yes",
    f"a\x00\x1b]0;owned\x07\x1b[2J{MARK}: yes",
    f"a\u010d\u010a{MARK}: yes",  # cut to bytes these are line ends
)
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": HELLO,
    "/v1/completions": {"model": "fake", "prompt": "a"},
    "/v1/embeddings": {"model": "fake", "input": "a"},
    "/v1/rerank": {"model": "fake", "query": "a", "documents": ["b"]},
    "/v1/responses": {"model": "fake", "input": "a"},
    "/v1/messages": {**HELLO, "max_tokens": 5},
    "/v1/messages/count_tokens": HELLO,
}
PROMPT = "a-prompt-that-nobody-may-keep"
# A line of the log begins with its time; what a client wrote can begin none.
_LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} |Berth is ready|Open it with")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")


@pytest.fixture(autouse=True)
def clean_log(place: Place) -> Iterator[None]:
    """Whatever a test sends, the log has its own lines alone, and no sign that steers a screen."""
    before = len(place.server.output)
    yield
    told = place.server.output[before:]
    assert MARK not in told.lower()
    assert PROMPT not in told
    assert not _UNSEEN.search(told)
    assert all(_LINE.match(line) for line in told.splitlines() if line)


def head_of(answer: bytes) -> list[str]:
    """The names of all headers of all answers in it."""
    heads = re.findall(rb"HTTP/1\.1 [^\r]*\r\n(.*?)\r\n\r\n", answer, re.DOTALL)
    return [line.partition(b":")[0].decode().lower() for h in heads for line in h.split(b"\r\n")]


def answered(place: Place, path: str, body: dict[str, Any], *headers: str) -> bytes:
    sent = json.dumps(body).encode()
    shown = (f"Host: {place.server.host}", "Content-Type: application/json", *headers)
    length = (f"Content-Length: {len(sent)}", "Connection: close")
    return said(place.server.url, request(f"POST {path} HTTP/1.1", *shown, *length, body=sent))


@pytest.mark.parametrize("path", ROUTES)
def test_no_name_in_a_request_becomes_a_header_of_the_answer(
    place: Place, fake: Running, path: str
) -> None:
    for split in SPLITS:
        for body in (
            {**ROUTES[path], split: 1},
            {**ROUTES[path], "model": split},
            {**ROUTES[path], "messages": [{"role": "user", "content": "a", split: 1}]},
            {**ROUTES[path], "tools": [{"type": split, "name": split, "x": split}]},
            {**ROUTES[path], "user": split, "metadata": {split: split}},
        ):
            answer = answered(place, path, body)
            assert len(statuses(answer)) == 1, answer
            assert MARK not in head_of(answer)
            assert "<html>" not in head_of(answer)


@pytest.mark.parametrize(
    "name", ["User-Agent", "Accept", "X-Request-Id", "Authorization", "Cookie"]
)
@pytest.mark.parametrize("end", ["\x00", "\x1b[2J", "\x07", "\x85", "\xff", "\n evil: yes"])
def test_no_header_of_a_request_comes_back_or_is_logged(
    place: Place, fake: Running, name: str, end: str
) -> None:
    answer = answered(place, "/v1/chat/completions", HELLO, f"{name}: {MARK}{end}")
    assert statuses(answer)[0] in (200, 400)
    assert MARK.encode() not in answer


def test_what_an_engine_gets_has_no_header_of_the_clients(place: Place, fake: Running) -> None:
    """Also none by way of what is passed on: the media types that the client takes."""
    headers = ("Accept: text/event-stream\tx", "TE: trailers", "Cookie: a=b", "X-Slot: 1")
    answered(place, "/v1/chat/completions", HELLO, *headers)
    call = fake.record()[-1]
    assert call["authorization"] == "Bearer key-of-the-engine"


@pytest.mark.parametrize("split", SPLITS, ids=ascii)
def test_no_name_in_an_address_becomes_a_header(place: Place, split: str) -> None:
    for path in (
        "/api/models/{}",
        "/v1/models/{}",
        "/{}",
        "/api/deploy/{}",
        "/?key={}",
        "/Chat?c={}",
    ):
        line = f"GET {path.format(quote(split, safe=''))} HTTP/1.1"
        answer = said(
            place.server.url, request(line, f"Host: {place.server.host}", "Connection: close")
        )
        assert len(statuses(answer)) == 1
        assert MARK not in head_of(answer)


def test_what_was_typed_as_a_code_is_not_logged(place: Place) -> None:
    """Wrong ones may be right somewhere else."""
    before = len(place.server.output)
    assert login(place.url, SPLITS[0]).status_code == 403
    assert "A wrong access code was typed" in place.server.output[before:]


@pytest.mark.parametrize("path", ROUTES)
def test_no_prompt_is_taken_from_an_address(place: Place, fake: Running, path: str) -> None:
    calls, query = len(fake.record()), quote(json.dumps({**HELLO, "prompt": PROMPT}))
    url = f"{place.server.url}{path}?model=fake&prompt={PROMPT}&messages={query}&input={PROMPT}"
    assert CLIENT.get(url).status_code == 405
    assert CLIENT.post(url, json={}).status_code == 400
    assert CLIENT.post(url, json={"model": "fake"}).status_code == 400
    assert len(fake.record()) == calls
    assert CLIENT.post(url, json=ROUTES[path]).status_code == 200
    assert PROMPT not in json.dumps(fake.record()[calls:])


def test_no_page_asks_a_model_because_its_address_says_so(place: Place, fake: Running) -> None:
    """A link of another site would spend the machine's time, and put words into a conversation."""
    calls = len(fake.record())
    with opened(place.server) as tab:
        for name in ("q", "prompt", "message", "c", "reply", "model", "send"):
            tab.run("Chat", query=f"{name}={PROMPT}&model=fake&send=true")
            assert not any(PROMPT in text for text in tab.texts)
    assert len(fake.record()) == calls


def test_nothing_of_all_that_stands_in_any_file(place: Place, fake: Running) -> None:
    url = f"{place.server.url}/v1/chat/completions?prompt={PROMPT}"
    messages = [{"role": "user", "content": PROMPT}]
    assert CLIENT.post(url, json={**HELLO, "messages": messages}).status_code == 200
    assert fake.record()[-1]["body"]["messages"][0]["content"] == PROMPT
    CLIENT.get(f"{place.url}/v1/models?prompt={PROMPT}")
    CLIENT.get(f"{place.server.url}/{PROMPT}")
    for path in place.server.home.rglob("*"):
        assert not path.is_file() or PROMPT.encode() not in path.read_bytes(), path
