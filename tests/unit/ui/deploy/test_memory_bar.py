"""The memory bar: every byte has its part, and what is missing is marked."""

import re

from hypothesis import given
from hypothesis import strategies as st

from lib.fit.memory import Need
from lib.ui.deploy.memory_bar import drawn, parts

SIZES = st.integers(0, 2**45)
NEEDS = st.builds(
    Need, weights=SIZES, kv_cache=SIZES, compute=SIZES, prompt_cache=SIZES, fixed=SIZES
)


@given(NEEDS, SIZES)
def test_the_parts_are_the_need_and_what_stays_free(need: Need, free: int) -> None:
    shown = parts(need, free)
    assert sum(part.bytes for part in shown) == max(need.total, free)
    assert all(part.bytes > 0 for part in shown)


@given(NEEDS, SIZES)
def test_a_mark_stands_where_the_free_memory_ends_if_it_does_not_suffice(
    need: Need, free: int
) -> None:
    marks = re.findall(r"left:([\d.]+)%", drawn(need, free, is_dark=False))
    assert len(marks) == (need.total > free)
    assert all(0 <= float(mark) <= 100 for mark in marks)


def test_every_part_is_said_in_words_and_dark_has_its_own_colours() -> None:
    need = Need(weights=2**30, kv_cache=2**20, compute=2**21, prompt_cache=0, fixed=2**22)
    light, dark = (drawn(need, 2**31, is_dark=is_dark) for is_dark in (False, True))
    for text in ("weights 1.0 GiB", "context (KV cache) 1.0 MiB", "free 1,017 MiB"):
        assert text in light
        assert text in dark
    assert "prompt cache" not in light
    assert re.findall("#[0-9a-f]{6}", light) != re.findall("#[0-9a-f]{6}", dark)
