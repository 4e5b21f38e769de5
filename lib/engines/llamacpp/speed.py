"""What a model's own speed tells of the machine's memory, which it reads for every token."""

import contextlib
from collections.abc import Iterator

from lib.core.errors import BrokenFile
from lib.engines.base import Delta, DeltaStream, Usage
from lib.fit.architecture import geometry
from lib.fit.gguf import Header
from lib.fit.memory import Load, bytes_per_token
from lib.machine import bandwidth

LEAST_TOKENS = 32  # fewer are over before the clock tells much


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
        if delta.usage:
            _note(delta.usage, self._bytes)
        return delta

    def close(self) -> None:
        """Stop now; harmless when already over."""
        self._stream.close()


def _note(usage: Usage, bytes_read: int) -> None:
    speed = usage.tokens_per_second
    if speed and bytes_read and usage.completion_tokens >= LEAST_TOKENS:
        bandwidth.has_reached(speed * bytes_read)
