"""What programs with a key ask stands among the requests with the key's name, refused ones too."""

import contextlib
import time
from collections.abc import Callable

import httpx

from tests.support.fake_engine import Running
from tests.support.gateway import HELLO
from tests.support.keys import UNKNOWN, bearer, changed, made
from tests.support.server import Server
from tests.support.waiting import until

CHAT = "/v1/chat/completions"
Program = Callable[..., httpx.Client]


def line(server: Server, since: float) -> dict[str, object]:
    """The newest one, as soon as it is written."""
    look = f"{server.url}/api/requests?since={since}"
    rows = until(lambda: httpx.get(look, headers=server.key).json()["log"], "its line")
    return dict(rows[0])


def test_a_request_is_logged_with_its_key(server: Server, fake: Running, program: Program) -> None:
    key_id, secret = made(server, "laptop")
    began = time.time()
    assert program(bearer(secret)).post(CHAT, json=HELLO).status_code == 200
    row = line(server, began)
    assert (row["who"], row["key"], row["outcome"]) == ("laptop", key_id, "done")


def test_a_model_that_a_key_may_not_use_is_logged_with_it(
    server: Server, fake: Running, program: Program
) -> None:
    key_id, secret = made(server, "narrow", models=["other"])
    began = time.time()
    answer = program(bearer(secret)).post(CHAT, json=HELLO)
    row = line(server, began)
    assert (row["who"], row["key"], row["model"]) == ("narrow", key_id, "fake")
    assert (row["status"], row["outcome"]) == (answer.status_code, "failed")


def test_an_unknown_key_is_logged_by_nobodys_name(server: Server, program: Program) -> None:
    began = time.time()
    answer = program(bearer(UNKNOWN)).post(CHAT, json=HELLO)
    row = line(server, began)
    assert (row["status"], row["who"], row["key"]) == (answer.status_code, "", "")
    assert UNKNOWN not in str(row)


def test_a_reply_that_ends_with_its_key_is_logged_with_the_reason(
    server: Server, fake: Running, program: Program
) -> None:
    key_id, secret = made(server, "going")
    fake.behave(tokens=4_000, gap_ms=20)
    began = time.time()
    asked = {**HELLO, "stream": True}
    with program(bearer(secret)).stream("POST", CHAT, json=asked) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert changed(server, key_id, is_disabled=True).status_code == 200
        with contextlib.suppress(httpx.RemoteProtocolError):
            list(pieces)
    row = line(server, began)
    assert (row["who"], row["outcome"]) == ("going", "failed")
    assert "key" in str(row["code"])
