"""The lines of a batch's file: read one after the other, and checked before anything is asked."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn

from lib.core.names import shown
from lib.core.values import Frozen

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
MOST_LINES = 50_000
LONGEST_LINE = 16 * 2**20  # bytes, as the gateway takes in one request
LONGEST_ID = 512  # characters
MOST_PROBLEMS = 100  # told of one file
_BOM = b"\xef\xbb\xbf"


class Problem(Frozen):
    """What is wrong with a line, or with the whole file."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None

    def described(self) -> dict[str, Any]:
        """As the dialect tells it."""
        return self.model_dump(include={"code", "message", "param", "line"})


class Line(NamedTuple):
    """Where one request stands in the file."""

    custom_id: str
    offset: int  # bytes
    length: int  # bytes


class Checked(NamedTuple):
    """What a file asks for; nothing of it is asked where there are problems."""

    lines: list[Line]
    problems: list[Problem]
    model: str  # the one that all lines name


class _Wrong(Exception):
    """The line cannot be used."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def check(file: BinaryIO, endpoint: str) -> Checked:
    """Every line of the file, or what is wrong with them by their numbers, from 1.

    CR LF, a byte order mark, blank lines, and a last line without its end are no mistakes.
    """
    check = _Check(endpoint)
    for number, offset, raw in _raw_lines(file):
        if len(check.lines) >= MOST_LINES:
            text = f"There are more than {MOST_LINES:,} requests: divide the file."
            check.problems.append(Problem(code="too_many_requests", message=text, line=number))
        if len(check.problems) >= MOST_PROBLEMS or len(check.lines) >= MOST_LINES:
            break
        check.add(number, offset, raw)
    if not check.lines and not check.problems:
        check.problems.append(Problem(code="empty_file", message="The file has no request in it."))
    return Checked(check.lines, check.problems, check.model)


def first_model(file: BinaryIO) -> str:
    """The model that the first line seems to name; "" where that cannot be told."""
    for _number, _offset, raw in _raw_lines(file):
        try:
            model = _object(raw)["body"]["model"]
        except (_Wrong, LookupError, TypeError):
            return ""
        return model if isinstance(model, str) else ""
    return ""


def body_of(file: BinaryIO, line: Line) -> bytes:
    """The request of this line, as it is sent."""
    file.seek(line.offset)
    body = _object(file.read(line.length))["body"]
    return json.dumps(body).encode()


class _Check:
    """What is known of a file while its lines come."""

    def __init__(self, endpoint: str) -> None:
        self.lines: list[Line] = []
        self.problems: list[Problem] = []
        self.model = ""
        self._endpoint = endpoint
        self._seen: dict[str, int] = {}

    def add(self, number: int, offset: int, raw: bytes | None) -> None:
        try:
            custom_id = self._checked(number, raw)
        except _Wrong as wrong:
            told = {"code": wrong.code, "message": wrong.message, "param": wrong.param}
            self.problems.append(Problem(line=number, **told))
        else:
            self.lines.append(Line(custom_id, offset, len(raw or b"")))

    def _checked(self, number: int, raw: bytes | None) -> str:
        told = _object(raw)
        custom_id = _custom_id(told)
        before = self._seen.setdefault(custom_id, number)
        if before != number:
            raise _Wrong(
                "duplicate_custom_id",
                f"The custom_id “{shown(custom_id)}” stands in line {before} already.",
                "custom_id",
            )
        _check_target(told, self._endpoint)
        self._check_body(told.get("body"))
        return custom_id

    def _check_body(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise _Wrong("missing_required_parameter", "There is no object “body”.", "body")
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise _Wrong("missing_required_parameter", "The body names no model.", "body.model")
        self.model = self.model or model
        if model != self.model:
            text = f"One batch has one model, “{shown(self.model)}”, and not “{shown(model)}” too."
            raise _Wrong("mismatched_model", text, "body.model")
        if body.get("stream"):
            raise _Wrong("invalid_value", "An answer in a file cannot be streamed.", "body.stream")


def _custom_id(told: dict[str, Any]) -> str:
    custom_id = told.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        text = "There is no text “custom_id”."
        raise _Wrong("missing_required_parameter", text, "custom_id")
    if len(custom_id) > LONGEST_ID:
        text = f"The custom_id has more than {LONGEST_ID} characters."
        raise _Wrong("invalid_custom_id", text, "custom_id")
    return custom_id


def _check_target(told: dict[str, Any], endpoint: str) -> None:
    if told.get("method") != "POST":
        raise _Wrong("invalid_method", "The method has to be POST.", "method")
    if told.get("url") != endpoint:
        text = f"The url has to be the batch's endpoint, {endpoint}."
        raise _Wrong("invalid_url", text, "url")


def _object(raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        text = f"The line is longer than {LONGEST_LINE // 2**20} MiB."
        raise _Wrong("line_too_long", text)
    try:
        told = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise _Wrong("invalid_json_line", "The line is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise _Wrong("invalid_json_line", "The line is not JSON.") from None
    if not isinstance(told, dict):
        raise _Wrong("invalid_json_line", "The line is not a JSON object.")
    return told


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes | None]]:
    """Number, offset and bytes of every line that is not blank; None for one without end."""
    number, offset = 0, 0
    if file.read(len(_BOM)) == _BOM:
        offset = len(_BOM)
    file.seek(offset)
    while raw := file.readline(LONGEST_LINE + 1):
        number += 1
        length = len(raw)
        is_whole = raw.endswith(b"\n") or length <= LONGEST_LINE
        if not is_whole:
            length += _skip_line(file)
        if not is_whole or raw.strip():
            yield number, offset, raw if is_whole else None
        offset += length


def _skip_line(file: BinaryIO) -> int:
    """Read on to the line's end; how many bytes that was."""
    length = 0
    while rest := file.readline(2**20):
        length += len(rest)
        if rest.endswith(b"\n"):
            break
    return length
