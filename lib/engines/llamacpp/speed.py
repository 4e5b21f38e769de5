"""What a model's own speed tells of the machine's memory, which it reads for every token."""

import contextlib
import re
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from lib.core.errors import BrokenFile
from lib.engines.base import Delta, DeltaStream, Usage
from lib.fit.architecture import geometry
from lib.fit.gguf import Header
from lib.fit.memory import Load, bytes_per_token
from lib.machine import bandwidth

LEAST_TOKENS = 32  # fewer are over before the clock tells much
# As llama-server ends its answers; in a text of the model's own, the quotes have a stroke before.
_TIMINGS = re.compile(rb'"timings":\s*(\{[^{}]*\})')


def token_bytes(header: Header) -> int:
    """What one token reads in a usual context; 0 where nobody can tell."""
    with contextlib.suppress(BrokenFile):
        usual = Load()
        context = min(header.context_length or usual.context, usual.context)
        return bytes_per_token(geometry(header), Load(context=context))
    return 0


class Noted(Iterator[Delta]):
    """A reply whose speed is kept where it is the best that was seen."""

    def __init__(self, stream: DeltaStream, bytes_read: int) -> None:
        self._stream = stream
        self._bytes = bytes_read

    def __next__(self) -> Delta:
        delta = next(self._stream)
        if delta.usage and (reached := reached_by(delta.usage, self._bytes)):
            bandwidth.has_reached(reached)
        return delta

    def close(self) -> None:
        """Stop now; harmless when already over."""
        self._stream.close()


def reached_by(usage: Usage, bytes_read: int) -> float:
    """Bytes a second that were read while the reply was written; 0 where it tells nothing."""
    has_said_enough = usage.completion_tokens >= LEAST_TOKENS
    return (usage.tokens_per_second or 0.0) * bytes_read if has_said_enough else 0.0


def told_at_the_end(answer: bytes) -> Usage:
    """What the engine's own clock says at the end of an answer, whole or the last bytes of it.

    Nothing where it drafts: then it reads its weights for several tokens at once.
    """
    try:
        timings = _Timings.model_validate_json(_TIMINGS.findall(answer)[-1])
    except (IndexError, ValidationError):
        return Usage()
    if timings.draft_n:
        return Usage()
    return Usage(
        completion_tokens=timings.predicted_n, tokens_per_second=timings.predicted_per_second
    )


class _Timings(BaseModel):
    predicted_n: int = 0
    predicted_per_second: float = 0.0
    draft_n: int = 0
