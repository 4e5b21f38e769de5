"""A few figures as a silhouette: its shape, and its words for whoever does not see it."""

import re

import pytest

from lib.ui.sparkline import drawn


def points(values: list[float]) -> list[tuple[float, float]]:
    found = re.findall(r"([\d.]+)% ([\d.]+)%", drawn(values, "told"))
    return [(float(x), float(y)) for x, y in found]


def test_the_largest_reaches_the_top_and_nought_lies_at_the_bottom() -> None:
    assert points([0, 5, 10]) == [(0, 100), (0, 100), (50, 50), (100, 0), (100, 100)]


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0], [7]])
def test_few_or_no_figures_are_no_error(values: list[float]) -> None:
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in points(values))


def test_its_words_are_told_and_cannot_become_elements() -> None:
    text = drawn([1], 'a "model" <script>')
    assert 'aria-label="a &quot;model&quot; &lt;script&gt;"' in text
    assert "<script>" not in text
