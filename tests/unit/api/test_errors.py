"""How bodies are read and refusals told, whoever asks."""

import asyncio
import json

import pytest
from pydantic import BaseModel, Field
from starlette.requests import Request

from lib.api.errors import Ambiguous, NotJson, on_berth_error, once, parsed, read_query, validated
from lib.core.access import Role, acting
from lib.core.errors import BadInput, BerthError, EngineError, NotFound
from lib.sharing.for_guests import OTHERWISE
from lib.sharing.limits import TooMany


class Wish(BaseModel):
    """A body."""

    count: int = Field(default=1, ge=1, le=5)
    names: tuple[str, ...] = ()
    is_sure: bool = False


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"-1e999",
        b'"\\ud800"',
        b'["\\uDC00"]',
        b"\xff",
        b"[" * 10**5,
    ],
)
def test_what_has_no_place_in_json_or_in_a_file_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        parsed(body)


@pytest.mark.parametrize("value", ["😀", "\\ud800", 1e300, -0.0, 2**70, [None, True]])
def test_what_is_json_is_read_as_it_is(value: object) -> None:
    assert parsed(json.dumps(value).encode()) == value


def test_a_name_stands_once_however_deep() -> None:
    assert parsed(b'{"a": {"a": 1}}', once) == {"a": {"a": 1}}
    with pytest.raises(Ambiguous, match="“b” stands there twice"):
        parsed(b'{"a": [{"b": 1, "b": 1}]}', once)


@pytest.mark.parametrize("told", [{"count": "2"}, {"count": 2.5}, {"is_sure": 1}, {"names": "ab"}])
def test_a_body_is_taken_as_it_is_written(told: object) -> None:
    with pytest.raises(BadInput):
        validated(told, Wish)


def test_a_list_is_one_in_a_body() -> None:
    assert validated({"names": ["a", "b"]}, Wish).names == ("a", "b")


def test_a_query_is_text_and_read_as_what_it_should_be() -> None:
    request = Request({"type": "http", "query_string": b"count=2&is_sure=true", "headers": []})
    assert read_query(request, Wish) == Wish(count=2, is_sure=True)
    wrong = Request({"type": "http", "query_string": b"count=9", "headers": []})
    with pytest.raises(BadInput, match="count: Input should be less than or equal to 5"):
        read_query(wrong, Wish)


def test_what_is_wrong_is_named_without_marks_that_hide_it() -> None:
    class Narrow(BaseModel):
        model_config = {"extra": "forbid"}

    with pytest.raises(BadInput) as found:
        validated({"a\u202e\0" + "x" * 500: 1}, Narrow)
    assert "\u202e" not in found.value.message
    assert len(found.value.message) < 200


def answered(error: BerthError, role: Role) -> tuple[dict[str, str], dict[str, str]]:
    with acting(role):
        request = Request({"type": "http", "path": "/api/x", "headers": []})
        answer = asyncio.run(on_berth_error(request, error))
    body: dict[str, str] = json.loads(bytes(answer.body))["error"]
    return body, dict(answer.headers)


def test_guests_are_told_nothing_of_the_owners_disk() -> None:
    error = EngineError("It failed in /home/ada/models.", "See /home/ada/log.")
    assert answered(error, Role.OWNER)[0]["message"] == error.message
    told, _ = answered(error, Role.GUEST)
    assert told == {"code": "engine_failed", "message": OTHERWISE, "fix": ""}


def test_our_own_words_are_the_same_for_guests() -> None:
    error = NotFound("There is no such path below /api.", "See /api/docs for those there are.")
    assert answered(error, Role.GUEST)[0]["message"] == error.message


def test_too_many_says_when_to_come_again() -> None:
    _, headers = answered(TooMany("Too many.", "Wait."), Role.GUEST)
    assert int(headers["retry-after"]) > 0
