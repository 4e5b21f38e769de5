"""What answers that pass through the gateway tell at their ends: how much was served, how fast.

Their last bytes are looked at once, when all has been sent; of a single token only its event is
counted, for answers that tell nothing.
"""

import asyncio
import json
import re
import time
from typing import Any

from pydantic import BaseModel, ValidationError

from lib.engines.base import Upstream, Usage
from lib.engines.llamacpp.speed import reached_by, told_at_the_end
from lib.fleet import served
from lib.machine import bandwidth
from lib.requests.content import MOST_BYTES

TAIL_BYTES = 4_096  # of an answer: the engine's clock stands in its last event
LEAST_TOKENS = 8  # fewer are over before our own clock tells anything
# Between quotes of a text of the model's own, a stroke stands before each quote.
_OPENING = re.compile(rb'"(usage|timings)":\s*(?=\{)')
_EVENT = b"data: {"
_JSON = json.JSONDecoder()

_best = 0.0  # that was noted already; more is written down seldom
_noting: set[asyncio.Task[None]] = set()


class _Told(BaseModel):
    """What engines call their figures, in `usage` and, llama-server alone, in `timings`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_n: int = 0  # of the prompt, what was new
    cache_n: int = 0  # and what was still known
    predicted_n: int = 0
    predicted_per_second: float | None = None
    # Of /v1/messages and /v1/responses; Anthropic counts what was still known beside the rest.
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0


class Heard:
    """One answer, as far as it has passed."""

    def __init__(self) -> None:
        self.end = b""
        self._begin = b""
        self.events = 0  # about as many tokens as have come
        self.first_at = self._last_at = 0.0  # on the monotonic clock
        self._usage: Usage | None = None

    def whole(self, body: bytes) -> None:
        """It came at once."""
        self._begin, self.end = body[:TAIL_BYTES], body[-TAIL_BYTES:]

    def piece(self, chunk: bytes) -> None:
        """The next piece of a stream."""
        self._last_at = time.monotonic()
        if not self.events:
            self.first_at = self._last_at
            self._begin = chunk[:TAIL_BYTES]
        self.events += chunk.count(_EVENT)
        self.end = (self.end + chunk)[-TAIL_BYTES:]

    def usage(self) -> Usage:
        """What the engine has counted; else about as many tokens as there were events.

        At the end: it is worked out once.
        """
        self._usage = self._usage or self._worked_out()
        return self._usage

    def counted(self) -> tuple[int, int]:
        """Tokens of the prompt, and of the reply."""
        usage = self.usage()
        return usage.prompt_tokens, usage.completion_tokens

    def _worked_out(self) -> Usage:
        told = _told(self._begin + self.end)
        counted = told.completion_tokens or told.output_tokens or told.predicted_n
        written = counted or max(0, self.events - 1)
        return Usage(
            prompt_tokens=told.prompt_tokens
            or told.input_tokens + told.cache_read_input_tokens
            or told.prompt_n + told.cache_n,
            completion_tokens=written,
            tokens_per_second=self._speed(told, written),
        )

    def _speed(self, told: _Told, written: int) -> float | None:
        seconds = self._last_at - self.first_at
        if told.predicted_per_second is not None:
            return told.predicted_per_second if written > 1 else None
        return (written - 1) / seconds if written >= LEAST_TOKENS and seconds > 0 else None


class HeardAll(Heard):
    """The same, where what is said is kept; as much of it as is kept at most."""

    def __init__(self) -> None:
        super().__init__()
        self.every = b""

    def whole(self, body: bytes) -> None:
        """It came at once."""
        super().whole(body)
        self.every = body[:MOST_BYTES]

    def piece(self, chunk: bytes) -> None:
        """The next piece of a stream."""
        super().piece(chunk)
        if len(self.every) < MOST_BYTES:
            self.every += chunk


def _told(text: bytes) -> _Told:
    """The last of each kind; what cannot be read tells nothing."""
    found: dict[str, Any] = {}
    for opening in _OPENING.finditer(text):
        try:
            value, _ = _JSON.raw_decode(text[opening.end() :].decode("utf-8", "replace"))
            found |= _Told.model_validate(value).model_dump(exclude_unset=True)
        except (ValueError, ValidationError, RecursionError):
            continue
    return _Told(**found)


def note_served(heard: Heard, to: Upstream, asked: str, who: str, *, is_whole: bool) -> None:
    """Count it once; of what was broken off, that counts which had come."""
    usage = heard.usage()
    if is_whole or usage.completion_tokens:
        served.note(to.engine, to.listed or asked, usage, who)


def note(end: bytes, to: Upstream) -> None:
    """Keep how fast the model was where nothing faster is known; not in the server's own thread."""
    global _best
    if not to.token_bytes:
        return
    reached = reached_by(told_at_the_end(end), to.token_bytes)
    if reached > _best:
        _best = reached
        task = asyncio.ensure_future(asyncio.to_thread(bandwidth.has_reached, reached))
        _noting.add(task)
        task.add_done_callback(_noting.discard)
