"""Headers that are read without most of their vocabulary."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.errors import BrokenFile
from lib.fit import gguf_jumps
from lib.fit.gguf import parse
from lib.fit.gguf_jumps import FIRST_READ, NoWay, read_with_jumps
from tests.support.vocabularies import TOKENS, Counted, grown, header_of, mixed, numbered

MIB = 2**20
WORDS = {"grown": grown, "mixed": mixed, "numbered": numbered}


def read(file: Counted) -> Any:
    return read_with_jumps(file.fetch(0, FIRST_READ), file.fetch, file.size, "The file")


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("has_merges", [True, False])
def test_of_a_large_vocabulary_half_is_never_read(
    words: Callable[[int], list[str]], has_merges: bool
) -> None:
    pairs = [
        f"{one} {other}" for one, other in zip(grown(TOKENS, 1), grown(TOKENS, 2), strict=True)
    ]
    made = header_of(words(TOKENS), merges=pairs if has_merges else (), has_scores=not has_merges)
    file = Counted(*made)
    assert read(file) == parse(made[0])
    assert sum(file.asked) <= min(4 * MIB, 0.8 * len(made[0]))


def test_a_vocabulary_may_stand_right_before_the_tensors() -> None:
    made = header_of(grown(TOKENS), is_last=True)
    file = Counted(*made)
    assert read(file) == parse(made[0])
    assert sum(file.asked) < len(made[0])


def test_a_small_header_is_one_piece() -> None:
    made = header_of(grown(10_000))
    file = Counted(*made)
    assert read(file) == parse(made[0])
    assert len(file.asked) == 1


def test_what_no_vocabulary_has_is_read_whole() -> None:
    with pytest.raises(NoWay):
        read(Counted(*header_of(["x" * 70_000] * 1_100)))


def test_a_file_of_another_size_than_its_header_asks_for_is_read_whole() -> None:
    start, size = header_of(grown(TOKENS))
    with pytest.raises(NoWay):
        read(Counted(start, size + 10_000))


def test_a_server_that_sends_too_little_ends_it() -> None:
    start, size = header_of(grown(TOKENS))
    file = Counted(start, size)
    first = file.fetch(0, FIRST_READ)
    with pytest.raises(NoWay):
        read_with_jumps(first, lambda at, count: file.fetch(at, count)[:-1], size, "The file")


def test_what_is_wrong_at_the_beginning_is_said() -> None:
    with pytest.raises(BrokenFile, match="a web page"):
        read_with_jumps(b"<html>" * 10, lambda at, count: b"", 100, "The file")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(max_size=40), max_size=40),
    st.integers(0, 1_000),
    st.integers(300, 3_000),
    st.integers(600, 4_000),
)
def test_it_is_the_whole_header_or_no_way(
    some: list[str], seed: int, first: int, window: int
) -> None:
    words = [*mixed(2_000, seed), *some, *mixed(1_000, seed + 1), *some]
    made = header_of(words, merges=grown(2_000, seed), tensors=20)
    file = Counted(*made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf_jumps, "WINDOW", window)
        patch.setattr(gguf_jumps, "MOST_WINDOWS", 200)
        try:
            found = read_with_jumps(file.fetch(0, first), file.fetch, file.size, "The file")
        except NoWay:
            return
    assert found == parse(made[0])
