"""How a Go server writes: JSON, times, durations and error answers, to the byte."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

FOREVER_SECONDS = 9_223_372_036.0  # Go's longest duration
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


class Answer(Exception):
    """An error answer on its way out; `said` is the server's own text."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


def dumped(value: Any) -> str:
    """Compact JSON in which `<`, `>` and `&` are escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPES)


def answer(value: Any, status: int = 200) -> web.Response:
    """JSON with a charset, as the native routes send it."""
    return web.json_response(text=dumped(value), status=status)


def bare(value: Any, status: int = 200) -> web.Response:
    """JSON without a charset, as `/v1` and what is not streamed of a stream send it."""
    data = dumped(value).encode()
    return web.Response(status=status, body=data, content_type="application/json")


def plain(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """Text without a charset."""
    return web.Response(
        status=status, body=text.encode(), content_type="text/plain", headers=headers
    )


def stamp(epoch: float) -> str:
    """A time as Go prints it: UTC, without the zeros at its end."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"


def duration(value: Any) -> float | None:
    """Seconds of a `keep_alive`: a number, or text such as `5m`; None where none is given."""
    if value is None:
        return None
    match = re.fullmatch(r"(-?[\d.]+)(ms|[smh])?", str(value))
    if not match:
        raise Answer(400, f'time: invalid duration "{value}"')
    seconds = float(match[1]) * _UNITS[match[2] or "s"]
    return FOREVER_SECONDS if seconds < 0 else seconds
