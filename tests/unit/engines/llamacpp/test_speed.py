"""What the speed of a model tells of the memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.base import Delta, Usage
from lib.engines.llamacpp.speed import (
    LEAST_TOKENS,
    Noted,
    reached_by,
    token_bytes,
    told_at_the_end,
)
from lib.fit.gguf import read_file
from lib.machine import bandwidth
from tests.support.tiny_gguf import write_tiny


class Stream(Iterator[Delta]):
    """A reply of this usage."""

    def __init__(self, usage: Usage | None) -> None:
        self.left = [Delta(text="x"), Delta(finish_reason="stop", usage=usage)]
        self.is_closed = False

    def __next__(self) -> Delta:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def close(self) -> None:
        self.is_closed = True


def usage(tokens: int, speed: float | None) -> Usage:
    return Usage(completion_tokens=tokens, tokens_per_second=speed)


def test_a_long_reply_tells_what_the_memory_can_do() -> None:
    stream = Noted(Stream(usage(LEAST_TOKENS, 20.0)), 10**11)
    assert [delta.text for delta in stream] == ["x", ""]
    assert bandwidth.known().reached == 20.0 * 10**11
    assert bandwidth.of_this_machine() >= 20.0 * 10**11


@pytest.mark.parametrize(
    ("said", "bytes_read"),
    [
        (usage(LEAST_TOKENS - 1, 20.0), 10**11),
        (usage(LEAST_TOKENS, None), 10**11),
        (usage(LEAST_TOKENS, 20.0), 0),
        (None, 10**11),
    ],
)
def test_what_tells_nothing_is_passed_over(said: Usage | None, bytes_read: int) -> None:
    list(Noted(Stream(said), bytes_read))
    assert bandwidth.known().reached == 0


def test_closing_it_closes_the_reply() -> None:
    inner = Stream(None)
    Noted(inner, 1).close()
    assert inner.is_closed


def test_a_token_reads_the_weights_and_the_cache(tmp_path: Path) -> None:
    header = read_file(write_tiny(tmp_path / "tiny.gguf")[0])
    assert header.weights_bytes / 2 < token_bytes(header) < 10 * header.weights_bytes
    assert token_bytes(header.model_copy(update={"values": {}})) == 0


END = (
    b'{"content":"}"}}]}\n\ndata: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],'
    b'"timings":{"cache_n":0,"predicted_n":40,"predicted_ms":3.8,"predicted_per_second":101.5}}'
    b"\n\ndata: [DONE]\n\n"
)


def test_the_end_of_an_answer_has_the_engines_own_clock() -> None:
    found = told_at_the_end(END)
    assert (found.completion_tokens, found.tokens_per_second) == (40, 101.5)
    assert reached_by(found, 1_000) == 101_500.0


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"data: [DONE]\n\n",
        END.replace(b'"cache_n":0', b'"draft_n":12'),  # it reads its weights for several at once
        END.replace(b"40", b"31"),
        END.replace(b'"predicted_n":40', b'"predicted_n":"many"'),
        rb'{"content":"\"timings\":{\"predicted_n\":40,\"predicted_per_second\":1e9}"}',
        b'"timings":{"predicted_n":40,"predicted_per_second":',
    ],
)
def test_an_end_that_tells_nothing_is_passed_over(end: bytes) -> None:
    assert reached_by(told_at_the_end(end), 1_000) == 0
