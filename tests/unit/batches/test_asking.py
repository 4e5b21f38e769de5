"""What an answer of the gateway means for its line: a result, or another try."""

import json
from typing import Any

import pytest

from lib.batches.asking import AWAY_SECONDS, LONGEST_WAIT_SECONDS, MOST_TRIES, ask, judged
from lib.batches.record import Asked
from lib.core.http import Posted

ASKED = Asked(
    id="batch_" + "0" * 24,
    owner="",
    endpoint="/v1/embeddings",
    input_file_id="file-" + "0" * 24,
    created_at=0,
    expires_at=1,
    keep_seconds=1,
    proof="x",
)


def said(status: int, body: Any = None, **headers: str) -> Posted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Posted(status, named, json.dumps(body).encode())


def test_an_answer_is_a_result_with_all_the_dialect_wants() -> None:
    found = judged("a", said(200, {"id": 1}, x_request_id="req_7"), 0).result
    assert found
    told = found.described()
    assert told["id"].startswith("batch_req_")
    assert told["custom_id"] == "a"
    assert told["response"] == {"status_code": 200, "request_id": "req_7", "body": {"id": 1}}
    assert told["error"] is None


def test_what_an_engine_did_not_get_is_told_with_its_answer() -> None:
    found = judged("a", said(200, {}, berth_ignored="user", server="x"), 0).result
    assert found
    assert found.described()["response"]["headers"] == {"berth-ignored": "user"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_of_this_line_is_its_result(status: int) -> None:
    found = judged("a", said(status, {"error": {"message": "no"}}), 0).result
    assert found
    assert not found.is_answered
    assert found.described()["response"]["status_code"] == status


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("3", 3.0),
        ("0", 0.1),
        ("86400", LONGEST_WAIT_SECONDS),
        ("-5", 0.1),
        ("nan", AWAY_SECONDS),
        ("inf", LONGEST_WAIT_SECONDS),
        ("Wed, 21 Oct 2026 07:28:00 GMT", AWAY_SECONDS),
        ("", AWAY_SECONDS),
    ],
)
def test_too_much_at_once_waits_as_long_as_it_is_told(told: str, wait: float) -> None:
    found = judged("a", said(429, {}, retry_after=told), MOST_TRIES)
    assert (found.result, found.wait_seconds, found.counts) == (None, wait, False)


def test_a_model_that_does_not_run_yet_is_waited_for() -> None:
    found = judged("a", said(503, {"error": {"message": "It starts."}}), MOST_TRIES)
    assert (found.result, found.note, found.counts) == (None, "It starts.", False)


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_failure_of_the_engine_is_tried_again_and_told_in_the_end(status: int) -> None:
    first = judged("a", said(status, {}), 0)
    assert (first.result, first.counts) == (None, True)
    last = judged("a", said(status, {}), MOST_TRIES - 1)
    assert last.result
    assert last.result.status == status


def test_what_is_no_json_is_no_answer() -> None:
    broken = Posted(200, {}, b"<html>")
    assert judged("a", broken, 0).counts
    last = judged("a", broken, MOST_TRIES - 1).result
    assert last
    told = last.described()
    assert (told["response"], told["error"]["code"]) == (None, "invalid_answer")


def test_where_berth_does_not_run_it_is_waited_for() -> None:
    found = ask(ASKED, "a", b"{}", 0)
    assert (found.result, found.counts) == (None, False)
    assert found.note == "Berth does not run."
