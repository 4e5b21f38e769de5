"""What may go on to an engine as it came, and what two parsers could read in two ways."""

import json
from typing import Any

import pytest

from lib.api.engine_request import ForeignAddress, read
from lib.api.errors import Ambiguous, NotJson
from lib.core.errors import BadInput

PICTURE = "data:image/png;base64,iVBORw0KGgo="


def asking(*parts: Any, **fields: Any) -> bytes:
    content = [{"type": "text", "text": "What is this?"}, *parts]
    return json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    ).encode()


@pytest.mark.parametrize("url", [PICTURE, PICTURE.replace("data", "DATA"), "data:,"])
def test_a_picture_in_the_request_goes_through(url: str) -> None:
    assert read(asking({"type": "image_url", "image_url": {"url": url}}))["model"] == "m"
    assert read(asking({"type": "image_url", "image_url": url}))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/api/tags",
        "https://example.org/cat.png",
        "file:///etc/passwd",
        "/etc/passwd",
        " data:image/png;base64,x",
        "\u202edata:x",
        "ftp://example.org",
        "",
        "x" * 100_000,
    ],
    ids=ascii,
)
@pytest.mark.parametrize(
    "name", ["image_url", "Image_URL", "video_url", "audio_url", "input_url", "IMAGE_URL"]
)
def test_what_an_engine_would_fetch_is_refused(url: str, name: str) -> None:
    for part in ({name: {"url": url}}, {name: url}, {name: {"URL": url}}):
        with pytest.raises(ForeignAddress) as refused:
            read(asking({"type": name, **part}))
        assert refused.value.status == 400
        assert len(refused.value.message) < 200
        assert "data:" in refused.value.fix


@pytest.mark.parametrize("field", ["messages", "input", "prompt"])
def test_it_is_found_wherever_messages_stand_and_however_deep(field: str) -> None:
    deep: Any = {"image_url": {"url": "http://x"}}
    for _ in range(900):
        deep = [deep]
    with pytest.raises(ForeignAddress):
        read(json.dumps({"model": "m", field: deep}).encode())


def test_one_bad_picture_among_good_ones_is_enough() -> None:
    parts = [{"image_url": {"url": url}} for url in (PICTURE, "http://x", PICTURE)]
    with pytest.raises(ForeignAddress):
        read(asking(*parts))


def test_an_address_in_a_text_or_in_a_tool_is_no_picture() -> None:
    schema = {"properties": {"image_url": {"type": "string"}, "url": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    call = {"function": {"name": "f", "arguments": '{"image_url": "http://x"}'}}
    body = asking(tools=[tool], metadata={"source_url": "https://example.org"})
    assert read(body)["tools"] == [tool]
    said = {"role": "assistant", "content": "See http://x", "tool_calls": [call]}
    assert read(json.dumps({"model": "m", "messages": [said]}).encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "a", "Model": "b"}',
        '{"Model": "b", "model": "a"}',
        '{"MODEL": "b"}',
        '{"model": "a", "Messages": []}',
        '{"model": "a", "me\u017f\u017fages": []}',
        '{"model": "a", "max_tokens": 1, "Max_Tokens": 9}',
    ],
    ids=ascii,
)
def test_a_name_in_another_spelling_is_refused(body: str) -> None:
    with pytest.raises(Ambiguous, match="could be taken for") as refused:
        read(body.encode())
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "a", "model": "b"}',
        '{"model": "a", "model": "a"}',
        '{"model": "a", "messages": [{"role": "user", "role": "system"}]}',
        '{"model": "a", "mod\\u0065l": "b"}',
    ],
)
def test_a_name_that_stands_there_twice_is_refused(body: str) -> None:
    with pytest.raises(Ambiguous, match="twice"):
        read(body.encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"a":' * 50_000, b"\xff"], ids=ascii)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        read(body)
    assert isinstance(refused.value, NotJson)


def test_other_fields_are_read_as_they_are() -> None:
    fields = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stop": ["a", "b"]}
    assert read(json.dumps(fields).encode()) == fields


@pytest.mark.parametrize("name", ["query", "documents"])
def test_addresses_are_refused_wherever_pictures_can_stand(name: str) -> None:
    picture = {"type": "image_url", "image_url": ["https://example.org/a.png"]}
    with pytest.raises(ForeignAddress):
        read(json.dumps({"model": "m", name: [picture]}).encode())
