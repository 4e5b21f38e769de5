"""Forms with a file in them, in any pieces, and what is no such form."""

import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from lib.api.errors import TooLarge
from lib.api.shield import WrongField
from lib.api.uploads import FORM_BYTES, MOST_PARTS, Form, receive

TYPE = b"multipart/form-data; boundary=XX"


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = b"--XX--\r\n"


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(1, 50), max_size=20))
def test_a_form_is_the_same_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    if b"\r\n--XX" in data:
        return
    sent = part("purpose", b"batch") + part("file", data, "a.jsonl") + END
    form, at = Form(TYPE), 0
    for cut in [*cuts, len(sent)]:
        form.feed(sent[at : at + cut])
        at += cut
    assert form.is_whole
    assert (form.fields, form.filename, bytes(form.pending)) == (
        {"purpose": "batch"},
        "a.jsonl",
        data,
    )


def test_a_form_that_is_cut_is_not_whole() -> None:
    form = Form(TYPE)
    form.feed(part("file", b"data", "a.jsonl")[:-2])
    assert not form.is_whole


@pytest.mark.parametrize("kind", [b"", b"application/json", b"multipart/form-data", b"multipart/x"])
def test_what_is_no_form_is_refused(kind: bytes) -> None:
    with pytest.raises(WrongField, match="form with parts"):
        Form(kind)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"nonsense", "broken"),
        (part("x", b"") * (MOST_PARTS + 1), "broken"),
        (part("x", b"y" * 2_000), "too long"),
        (part("x", b"", "f" * 2_000), "too long"),
        (part("other", b"", "a.jsonl"), "as the part “file”"),
        (part("file", b"", "a") + part("file", b"", "b"), "One file"),
        (b"--XX\r\n" + b"A: b\r\n" * 20 + b"\r\n\r\n", "broken"),
    ],
    ids=["no form", "many parts", "a long field", "a long name", "another part", "two", "headers"],
)
def test_an_odd_form_is_refused(sent: bytes, said: str) -> None:
    with pytest.raises(WrongField, match=said):
        Form(TYPE).feed(sent)


def test_a_part_without_a_name_is_passed_over() -> None:
    form = Form(TYPE)
    form.feed(b"--XX\r\nX-Y: z\r\n\r\nhello\r\n" + part("purpose", b"batch") + END)
    assert form.fields["purpose"] == "batch"


def received(body: bytes, limit: int, piece: int = 1_000) -> tuple[Form, bytes]:
    """What comes of a body that is sent in pieces, its length not told."""
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]

    async def receiving() -> Message:
        more = pieces.pop(0)
        return {"type": "http.request", "body": more, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", TYPE)]}
    into = io.BytesIO()
    form = asyncio.run(receive(Request(scope, receiving), into, limit))
    return form, into.getvalue()


def test_a_file_is_written_while_it_comes() -> None:
    data = bytes(range(256)) * 20_000
    form, written = received(part("file", data, "a.jsonl") + END, len(data), 65_536)
    assert (form.filename, written == data, len(form.pending)) == ("a.jsonl", True, 0)


@pytest.mark.parametrize("more", [1, FORM_BYTES * 3])
def test_a_file_that_is_too_large_is_refused_though_it_told_no_length(more: int) -> None:
    limit = 1_000_000
    with pytest.raises(TooLarge, match="at most 1 MB"):
        received(part("file", b"x" * (limit + more), "a.jsonl") + END, limit)
