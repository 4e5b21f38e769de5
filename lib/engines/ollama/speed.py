"""What a reply of Ollama's tells of this machine's memory: Ollama says how long it wrote."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from lib.core.errors import BerthError
from lib.engines.base import Delta, DeltaStream, Usage
from lib.engines.llamacpp.speed import reached_by, token_bytes
from lib.fit import gguf
from lib.machine import bandwidth

HERE = ("127.", "localhost", "[::1]")


class Noted(Iterator[Delta]):
    """A reply whose speed is kept where it is the best that was seen.

    `find_bytes` tells what is read for every token, 0 for not known. It may take its time: it is
    asked behind the reply, and only where that was long enough to mean something.
    """

    def __init__(self, stream: DeltaStream, find_bytes: Callable[[], int]) -> None:
        self._stream = stream
        self._find_bytes = find_bytes

    def __next__(self) -> Delta:
        delta = next(self._stream)
        if delta.usage and reached_by(delta.usage, 1):
            threading.Thread(target=self._note, args=(delta.usage,), daemon=True).start()
        return delta

    def close(self) -> None:
        """Stop now; harmless when already over."""
        self._stream.close()

    def _note(self, usage: Usage) -> None:
        with contextlib.suppress(BerthError):
            if reached := reached_by(usage, self._find_bytes()):
                bandwidth.has_reached(reached)


def is_here(address: str) -> bool:
    """Does the Ollama at this address run on this machine, as far as that shows?"""
    return address.rpartition("://")[2].startswith(HERE)


@lru_cache(maxsize=256)
def bytes_of(file: str) -> int:
    """What a token of the model in this file reads; 0 where it cannot be read.

    Ollama names its files after their checksums, so none ever changes.
    """
    with contextlib.suppress(BerthError, OSError):
        return token_bytes(gguf.read_model(Path(file)))
    return 0
