"""The lines of a batch's file: what is taken, what is refused, and by which number."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.batches import lines
from lib.batches.lines import Checked, body_of, check, first_model
from tests.support.batches import CHAT, file_of, line, requests


def checked(data: bytes, endpoint: str = CHAT) -> Checked:
    return check(io.BytesIO(data), endpoint)


def codes(data: bytes) -> list[tuple[int | None, str, str | None]]:
    return [(one.line, one.code, one.param) for one in checked(data).problems]


def test_every_line_is_found_where_it_stands() -> None:
    data = requests(3)
    found = checked(data)
    assert [one.custom_id for one in found.lines] == ["r0", "r1", "r2"]
    assert (found.problems, found.model) == ([], "fake")
    assert json.loads(body_of(io.BytesIO(data), found.lines[1]))["messages"][0]["content"] == "r1"


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + requests(2),
        requests(2).replace(b"\n", b"\r\n"),
        requests(2).rstrip(b"\n"),
        b"\n" + requests(1) + b"  \r\n" + file_of(line("r1")) + b"\n\n",
        b"\xef\xbb\xbf" + requests(2).replace(b"\n", b"\r\n").rstrip(),
    ],
    ids=["byte order mark", "CR LF", "no newline at the end", "blank lines", "all at once"],
)
def test_what_editors_leave_in_a_file_is_no_mistake(data: bytes) -> None:
    found = checked(data)
    assert found.problems == []
    assert [one.custom_id for one in found.lines] == ["r0", "r1"]
    read = [json.loads(body_of(io.BytesIO(data), one)) for one in found.lines]
    assert [body["messages"][0]["content"] for body in read] == ["r0", "r1"]


BROKEN: dict[str, tuple[Any, str, str | None]] = {
    "not JSON": (b"{no", "invalid_json_line", None),
    "no object": (b"[1]", "invalid_json_line", None),
    "not UTF-8": (b'{"custom_id": "\xff"}', "invalid_json_line", None),
    "no number of JSON": (b'{"custom_id": NaN}', "invalid_json_line", None),
    "deep": (b"[" * 100_000, "invalid_json_line", None),
    "no custom_id": ({"custom_id": None}, "missing_required_parameter", "custom_id"),
    "an empty one": ({"custom_id": ""}, "missing_required_parameter", "custom_id"),
    "a number for one": ({"custom_id": 7}, "missing_required_parameter", "custom_id"),
    "a long one": ({"custom_id": "x" * 513}, "invalid_custom_id", "custom_id"),
    "the same again": ({"custom_id": "good"}, "duplicate_custom_id", "custom_id"),
    "GET": ({"method": "GET"}, "invalid_method", "method"),
    "another url": ({"url": "/v1/embeddings"}, "invalid_url", "url"),
    "a whole address": ({"url": f"http://localhost{CHAT}"}, "invalid_url", "url"),
    "no body": ({"body": None}, "missing_required_parameter", "body"),
    "no model": ({"body": {}}, "missing_required_parameter", "body.model"),
    "another model": ({"body": {"model": "other"}}, "mismatched_model", "body.model"),
    "a stream": ({"body": {"model": "fake", "stream": True}}, "invalid_value", "body.stream"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_line_that_cannot_be_used_is_told_by_its_number(what: str) -> None:
    broken, code, param = BROKEN[what]
    raw = broken if isinstance(broken, bytes) else json.dumps({**line("bad"), **broken}).encode()
    data = file_of(line("good")) + b"\n" + raw + b"\n" + file_of(line("also good"))
    assert codes(data) == [(3, code, param)]


def test_a_file_with_nothing_in_it_is_told_so() -> None:
    assert codes(b"") == codes(b"\xef\xbb\xbf\n \n") == [(None, "empty_file", None)]


def test_one_line_too_many_is_told_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_LINES", 3)
    assert codes(requests(3)) == []
    assert codes(requests(5)) == [(4, "too_many_requests", None)]


def test_a_line_that_is_too_long_is_told_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 300)
    data = file_of(line("a"), line("b", user="x" * 3_000_000), line("c"))
    assert codes(data) == [(2, "line_too_long", None)]
    assert [one.custom_id for one in checked(data).lines] == ["a", "c"]


def test_problems_are_told_up_to_a_number() -> None:
    assert len(codes(b"no\n" * 5_000)) == lines.MOST_PROBLEMS


def test_the_first_line_tells_the_model_where_it_can() -> None:
    assert first_model(io.BytesIO(b"\xef\xbb\xbf\n" + requests(1))) == "fake"
    assert [first_model(io.BytesIO(data)) for data in (b"", b"{", b"[]\n", b'{"body": 1}')] == [
        ""
    ] * 4


@given(st.binary(max_size=400))
def test_no_bytes_break_the_check(data: bytes) -> None:
    found = checked(data)
    assert found.problems or found.lines
    first_model(io.BytesIO(data))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
END = st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n"])


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT, END), min_size=1, unique_by=lambda one: one[0]))
def test_what_was_written_is_what_is_asked(wanted: list[tuple[str, str, bytes]]) -> None:
    raw = [json.dumps(line(name, user=text), ensure_ascii=False) for name, text, _ in wanted]
    data = b"".join(one.encode() + end for one, (_, _, end) in zip(raw, wanted, strict=True))
    found = checked(data)
    assert found.problems == []
    assert [one.custom_id for one in found.lines] == [name for name, _, _ in wanted]
    bodies = [json.loads(body_of(io.BytesIO(data), one)) for one in found.lines]
    assert [body["user"] for body in bodies] == [text for _, text, _ in wanted]
