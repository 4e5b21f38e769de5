"""/api/requests against the real server: what runs, what was, and the owner's Stop."""

import contextlib
import csv
import io
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO, WELL, post
from tests.support.server import Server, running_server
from tests.support.waiting import until

LONG: dict[str, Any] = {**HELLO, "stream": True}
PATHS = {
    "/v1/chat/completions": LONG,
    "/v1/completions": {"model": "fake", "prompt": "Hello", "stream": True},
    "/v1/responses": {"model": "fake", "input": "Hello", "stream": True},
    "/v1/messages": {**LONG, "max_tokens": 4_000},
}


def asked(server: Server, **query: Any) -> Any:
    answer = httpx.get(f"{server.url}/api/requests", params=query, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def running(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(server)["running"]
    return found


def logged(server: Server, number: int = 1, **query: Any) -> list[dict[str, Any]]:
    """The log's lines of this choice, as soon as there are so many."""

    def look() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = asked(server, **query)["log"]
        return rows if len(rows) >= number else []

    return until(look, "the log's lines")


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """This request's line, as soon as it is written."""
    return until(lambda: [one for one in logged(server) if one["id"] == request_id], "its line")[0]


class Reading(threading.Thread):
    """A client that reads a stream, and how that ended for it."""

    def __init__(self, server: Server, path: str, body: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.url, self.body, self.said, self.status = server.url + path, body, "", 0
        self.is_broken = False
        self.start()

    def run(self) -> None:
        with httpx.stream("POST", self.url, json=self.body, timeout=60) as answer:
            self.status = answer.status_code
            try:
                for text in answer.iter_text():
                    self.said += text
            except httpx.TransportError:
                self.is_broken = True


@contextlib.contextmanager
def slow(fake: Running, **more: Any) -> Iterator[None]:
    """An engine that is not done soon, until the block ends."""
    fake.behave(**{"tokens": 4_000, "gap_ms": 20, **more})
    yield
    fake.behave(**WELL)


def now(server: Server, state: str) -> dict[str, Any]:
    """The one request that runs, as soon as it is in this state."""
    seen = until(lambda: [one for one in running(server) if one["state"] == state], state)
    return seen[0]


@pytest.mark.parametrize("path", PATHS)
def test_a_reply_that_runs_is_seen_and_stopped_in_every_dialect(
    server: Server, fake: Running, path: str
) -> None:
    with slow(fake):
        client = Reading(server, path, PATHS[path])
        seen = now(server, "answering")
        assert (seen["model"], seen["who"], seen["route"]) == ("fake", "a program", path)
        assert seen["first"] <= seen["seconds"]
        until(lambda: running(server)[0]["tokens"] > seen["tokens"], "more tokens")
        stopped = httpx.delete(f"{server.url}/api/requests/{seen['id']}")
        assert (stopped.status_code, stopped.json()) == (200, {"stopped": seen["id"]})
        client.join(10)
    assert client.is_broken
    assert "The owner of this machine stopped this request." in client.said
    last = json.loads(client.said.rstrip().rpartition("data: ")[2])
    assert last["error"]["code"] == "stopped_by_owner"
    fake.last_call("left")
    row = line_of(server, seen["id"])
    assert row["outcome"] == "stopped by the owner"
    assert (row["status"], row["code"]) == (200, "stopped_by_owner")
    assert row["reply"] >= seen["tokens"] - 1
    assert running(server) == []


def test_a_prompt_that_is_read_is_stopped_with_an_error_and_no_retry(
    server: Server, fake: Running
) -> None:
    with slow(fake, prefill_ms=60_000):
        client = Reading(server, "/v1/chat/completions", LONG)
        seen = now(server, "reading the prompt")
        assert (seen["tokens"], seen["first"]) == (0, None)
        httpx.delete(f"{server.url}/api/requests/{seen['id']}")
        client.join(10)
    assert (client.status, client.is_broken) == (403, False)
    assert json.loads(client.said)["error"]["code"] == "stopped_by_owner"
    fake.last_call("left")


def test_one_that_waits_for_its_turn_is_stopped_and_takes_none(
    server: Server, fake: Running
) -> None:
    with slow(fake):
        first = Reading(server, "/v1/chat/completions", LONG)
        now(server, "answering")
        second = Reading(server, "/v1/chat/completions", LONG)
        seen = now(server, "waiting")
        httpx.delete(f"{server.url}/api/requests/{seen['id']}")
        second.join(10)
        assert "stopped_by_owner" in second.said
        assert [one["state"] for one in running(server)] == ["answering"]
        httpx.delete(f"{server.url}/api/requests/{running(server)[0]['id']}")
        first.join(10)
    assert line_of(server, seen["id"])["reply"] == 0


def test_what_went_well_is_logged_with_its_figures(server: Server, fake: Running) -> None:
    began = time.time()
    fake.behave(tokens=12, prefill_ms=50)
    body = {**LONG, "messages": [{"role": "user", "content": "a b c"}]}
    post(server, {**body, "stream_options": {"include_usage": True}})
    row = logged(server, since=began)[0]
    assert (row["prompt"], row["reply"], row["status"], row["code"]) == (3, 12, 200, "")
    assert 0.05 <= row["first"] <= row["seconds"]
    assert (row["key"], row["who"], row["model"]) == ("", "a program", "fake")


def test_an_answer_that_comes_at_once_has_no_first_token(server: Server, fake: Running) -> None:
    began = time.time()
    post(server, HELLO)
    row = logged(server, since=began)[0]
    assert (row["first"], row["reply"]) == (None, 20)


REFUSED = [
    ({**HELLO, "model": "nobody"}, "/v1/chat/completions", 404),
    ({**HELLO, "n": 10_000}, "/v1/chat/completions", 400),
    ({"messages": []}, "/v1/chat/completions", 400),
    (b"{", "/v1/messages", 400),
    (HELLO, "/v1/slots", 404),
]


@pytest.mark.parametrize(("body", "path", "status"), REFUSED)
@pytest.mark.usefixtures("fake")
def test_what_no_engine_saw_is_logged_with_its_status(
    server: Server, body: Any, path: str, status: int
) -> None:
    began = time.time()
    answer = post(server, body, path)
    row = logged(server, outcome="failed", since=began)[0]
    assert row["status"] == answer.status_code == status
    assert (row["code"], row["route"]) == (answer.json()["error"]["code"], path)


def test_who_was_not_let_in_is_logged(server: Server) -> None:
    began = time.time()
    headers = {"Host": "evil.example"}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=HELLO, headers=headers)
    row = logged(server, outcome="failed", since=began)[0]
    assert (row["status"], row["code"]) == (answer.status_code, "wrong_host")


def test_an_engines_errors_are_logged_by_their_names(server: Server, fake: Running) -> None:
    began = time.time()
    fake.behave(status=503)
    post(server, HELLO)
    fake.behave(status=200, error_after=3)
    with pytest.raises(httpx.RemoteProtocolError):
        post(server, LONG)
    told = logged(server, 2, since=began)
    assert [(one["outcome"], one["status"], one["code"]) for one in told] == [
        ("failed", 200, "server_error"),
        ("failed", 503, "server_error"),
    ]


def test_a_client_that_leaves_in_mid_answer_is_logged_as_that(
    server: Server, fake: Running
) -> None:
    began = time.time()
    with slow(fake), httpx.stream("POST", f"{server.url}/v1/chat/completions", json=LONG) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        now(server, "answering")
    row = logged(server, since=began)[0]
    assert (row["outcome"], row["code"], row["status"]) == ("client left", "", 200)


def test_a_client_that_leaves_before_the_answer_is_logged_as_that(
    server: Server, fake: Running
) -> None:
    began = time.time()
    with slow(fake, prefill_ms=60_000), pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=LONG, timeout=0.3)
    row = logged(server, since=began)[0]
    assert (row["outcome"], row["code"], row["status"]) == ("client left", "", 0)


def test_the_choices_of_the_log_hold_and_pages_follow(server: Server, fake: Running) -> None:
    began = time.time()
    for _ in range(5):
        post(server, HELLO)
    logged(server, 5, since=began)
    first = asked(server, since=began, limit=2)
    then = asked(server, since=began, limit=3, before=first["next"])
    ids = [one["id"] for one in [*first["log"], *then["log"]]]
    assert len({*ids}) == 5
    assert asked(server, since=began, model="another")["log"] == []
    assert asked(server, since=began, who="a program", key="", until=began)["log"] == []


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"outcome": "odd"}, {"since": "nan"}, {"more": 1}]
)
def test_a_choice_that_cannot_be_is_refused(server: Server, query: dict[str, Any]) -> None:
    answer = httpx.get(f"{server.url}/api/requests", params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_input")


def test_what_is_over_cannot_be_stopped(server: Server) -> None:
    answer = httpx.delete(f"{server.url}/api/requests/gone")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("what", ["log", "counts"])
def test_the_log_is_taken_along(server: Server, fake: Running, what: str) -> None:
    choice = {"what": what, "since": str(time.time())}
    post(server, HELLO)
    logged(server, since=choice["since"])
    url = f"{server.url}/api/requests/export"
    as_csv = httpx.get(url, params=choice)
    as_json = httpx.get(url, params={**choice, "format": "json"})
    assert f'filename="berth-requests-{what}-' in as_csv.headers["content-disposition"]
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert len([*csv.DictReader(io.StringIO(as_csv.text))]) == len(as_json.json()) == 1


def test_no_word_of_a_request_is_kept(server: Server, fake: Running) -> None:
    said = {"role": "user", "content": "a most peculiar sentence"}
    fake.behave(text="an equally peculiar answer")
    post(server, {**LONG, "messages": [said]})
    logged(server)
    kept = b"".join(path.read_bytes() for path in server.home.glob("berth.db*"))
    assert b"peculiar" not in kept


def test_the_log_outlives_a_killed_server_and_what_ran_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_fake() as fake:
        with running_server(home) as server:
            register(home, fake)
            post(server, HELLO)
            logged(server)
            with slow(fake):
                Reading(server, "/v1/chat/completions", LONG)
                now(server, "answering")
                server.stop(signal.SIGKILL)
        with running_server(home) as server:
            assert running(server) == []
            assert [one["outcome"] for one in asked(server)["log"]] == ["done"]
            post(server, HELLO)
            assert len(logged(server, 2)) == 2
    with contextlib.closing(sqlite3.connect(home / "berth.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_locked_log_delays_no_answer(server: Server, fake: Running) -> None:
    post(server, HELLO)
    logged(server)
    with contextlib.closing(sqlite3.connect(server.home / "berth.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.time()
        for _ in range(5):
            assert post(server, HELLO).status_code == 200
        other.rollback()
    post(server, HELLO)
    assert len(logged(server, 6, since=began)) >= 6
