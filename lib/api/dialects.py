"""How each route of /v1 says its answers: its errors, its end of a stream, and what is mended.

The built-in engine says of every reply in /v1/responses that it is complete, and in /v1/messages
that its model ended the turn, also where a limit or a stop text did. Both are put right here.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from lib.core.errors import BerthError
from lib.engines import template_words

Mend = Callable[[dict[str, Any]], bool]
_DATA = b"data: "
_ERROR = re.compile(rb'(?:^|\n)data: \{(?:"type":\s*"error"|"error":\s*[{"])')
_FINISHED = re.compile(rb'"finish_reason":\s*"')
_KINDS = {  # Anthropic's words
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Dialect(NamedTuple):
    """How one route speaks."""

    failed: Callable[[str, str, str | None, int, str], dict[str, Any]]
    ends: tuple[bytes, ...] = ()  # names of events that end a stream; without them it is [DONE]
    choices: int = 1  # how many answers come in one
    is_numbered: bool = False  # its events have numbers and places
    mended: tuple[bytes, Mend] | None = None  # events with this in them are changed so


def openai_failed(
    message: str, code: str, param: str | None, status: int, fix: str
) -> dict[str, Any]:
    """OpenAI's error body, with what to do about it added."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = {"message": message, "type": kind, "param": param, "code": code}
    return {"error": {**body, "fix": fix}}


def anthropic_failed(
    message: str, code: str, param: str | None, status: int, fix: str
) -> dict[str, Any]:
    """Anthropic's: its client shows the body, its users read the message."""
    text = f"{message} {fix}".strip()
    told = {"type": _KINDS.get(status, "api_error"), "message": text, "code": code, "param": param}
    return {"type": "error", "error": told}


def responses_failed(
    message: str, code: str, param: str | None, status: int, fix: str
) -> dict[str, Any]:
    """OpenAI's, and beside it what an error is as an event of /v1/responses."""
    as_event = {"type": "error", "code": code, "message": message, "param": param}
    return {**openai_failed(message, code, param, status, fix), **as_event}


def _stopped_by_text(event: dict[str, Any]) -> bool:
    """A reply that a stop text has ended did not end its turn."""
    told = event.get("delta", event)
    if not isinstance(told, dict) or not told.get("stop_sequence"):
        return False
    is_wrong: bool = told.get("stop_reason") == "end_turn"
    if is_wrong:
        told["stop_reason"] = "stop_sequence"
    return is_wrong


def cut_at(limit: int) -> Mend:
    """A reply of /v1/responses that has as many tokens as were allowed was cut."""

    def mend(event: dict[str, Any]) -> bool:
        reply = event.get("response", event)
        usage = reply.get("usage") if isinstance(reply, dict) else None
        written = usage.get("output_tokens") if isinstance(usage, dict) else None
        if not isinstance(written, int) or written < limit or reply.get("status") != "completed":
            return False
        reply["status"] = "incomplete"
        reply["incomplete_details"] = {"reason": "max_output_tokens"}
        if event.get("type") == "response.completed":
            event["type"] = "response.incomplete"
        return True

    return mend


OPENAI = Dialect(openai_failed)
_ANTHROPIC = Dialect(
    anthropic_failed, (b"message_stop",), mended=(b'"stop_sequence"', _stopped_by_text)
)
_RESPONSES = Dialect(
    responses_failed,
    (b"response.completed", b"response.incomplete", b"response.failed"),
    is_numbered=True,
)


def of(path: str, fields: dict[str, Any]) -> Dialect:
    """How an answer to this request, below /v1, is said."""
    if path.startswith("/messages"):
        return _ANTHROPIC
    if path == "/responses":
        limit = fields.get("max_output_tokens")
        mended = (b'"completed"', cut_at(limit)) if isinstance(limit, int) else None
        return _RESPONSES._replace(mended=mended)
    return OPENAI._replace(choices=fields.get("n") or 1)


def failure(dialect: Dialect, error: BerthError) -> bytes:
    """What went wrong, as a body."""
    param = getattr(error, "param", None)
    told = dialect.failed(error.message, error.code, param, error.status, error.fix)
    return json.dumps(told).encode()


def ends_in(dialect: Dialect, lines: bytes) -> bool:
    """Is the stream's last event among these lines?"""
    return any(b"event: " + end in lines for end in dialect.ends)


def is_done(tail: bytes) -> bool:
    """Has OpenAI's older stream said its last word?"""
    return tail.rstrip().endswith(b"data: [DONE]")


def is_whole(dialect: Dialect, tail: bytes) -> bool:
    """Has a reply of that kind all but that word? One with its finish_reason is whole."""
    is_one = not dialect.ends and dialect.choices == 1
    return is_one and bool(_FINISHED.search(tail)) and not tells_error(tail)


def tells_error(tail: bytes) -> bool:
    """Has the engine itself told of an error in its stream?"""
    return bool(_ERROR.search(tail))


def mended_whole(dialect: Dialect, body: bytes) -> bytes:
    """An answer that came at once."""
    if dialect.mended is None:
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    is_changed = isinstance(value, dict) and dialect.mended[1](value)
    return json.dumps(value, ensure_ascii=False).encode() if is_changed else body


def mended_lines(dialect: Dialect, lines: bytes) -> bytes:
    """Whole lines of a stream."""
    if dialect.mended is None or dialect.mended[0] not in lines:
        return lines
    made: list[bytes] = []
    for line in lines.split(b"\n"):
        if line.startswith(_DATA) and dialect.mended[0] in line:
            rest = mended_whole(dialect, line.removeprefix(_DATA))
            is_renamed = b'"type": "response.incomplete"' in rest[:100]
            if is_renamed and made and made[-1].startswith(b"event: "):
                made[-1] = b"event: response.incomplete"
            line = _DATA + rest
        made.append(line)
    return b"\n".join(made)


def kind_of_failure(body: bytes) -> str:
    """What an engine's error, as a body or as the last event of a stream, calls itself."""
    _, found, event = body.rpartition(b'data: {"')
    try:
        told = json.loads(b'{"' + event.partition(b"\n")[0] if found else body)
    except (ValueError, RecursionError):
        told = {}
    return _message(told)[1]


def engine_failure(dialect: Dialect, body: bytes, status: int) -> bytes:
    """An engine's error in this dialect: its own body where that is one, else its words in one."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = {}
    message, kind, is_right = _message(told)
    if of_template := template_words.plain(message):
        what, fix = of_template
        return json.dumps(dialect.failed(what, kind, "messages", status, fix)).encode()
    if is_right and dialect.failed is not anthropic_failed:
        return body
    text = message or f"The engine answered {status} and did not say why."
    return json.dumps(dialect.failed(text, kind, None, status, "")).encode()


def _message(told: Any) -> tuple[str, str, bool]:
    """Whatever an engine says, its kind, and whether it says it as `{"error": {"message"}}`."""
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return error["message"], str(error.get("type") or "engine_failed"), True
    said = [error, told.get("detail"), told.get("message")] if isinstance(told, dict) else []
    return next((one for one in said if isinstance(one, str) and one), ""), "engine_failed", False
