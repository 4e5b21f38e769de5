"""Numbers as people read them."""

import pytest

from lib.core import words


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (700, "700 B"), (1_536, "1.5 KiB"), (671_088_640, "640 MiB"), (2**33, "8.0 GiB")],
)
def test_memory_is_told_in_powers_of_two(amount: int, text: str) -> None:
    assert words.memory(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(491_400_064, "491 MB"), (2_019_377_696, "2.0 GB"), (26e9, "26.0 GB")]
)
def test_files_are_told_in_powers_of_ten(amount: float, text: str) -> None:
    assert words.disk(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.214, "0.21 s"), (4.24, "4.2 s"), (44.4, "44 s"), (102, "1 min 42 s"), (7_500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0.21 s", 0.21), ("44 s", 44), ("1 min 42 s", 102), ("2 h 5 min", 7_500), ("soon", None)],
)
def test_durations_are_read_again(text: str, seconds: float | None) -> None:
    assert words.seconds(text) == seconds


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (3, "just now"),
        (125, "2 min ago"),
        (7_300, "2 h ago"),
        (90_000, "1 day ago"),
        (-5, "just now"),
    ],
)
def test_ages(past: float, text: str) -> None:
    assert words.ago(1_000_000 - past, now=1_000_000) == text


def test_counts_have_a_plural() -> None:
    assert [words.count(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]


@pytest.mark.parametrize(
    ("speed", "text"),
    [
        (1_234.5, "at most 1,234 tok/s"),
        (12.34, "at most 12 tok/s"),
        (8.46, "at most 8.5 tok/s"),
        (0.1, "at most 0.1 tok/s"),
        (0.04, "less than 0.1 tok/s"),
        (0.0, "less than 0.1 tok/s"),
    ],
)
def test_an_upper_bound_is_never_nought(speed: float, text: str) -> None:
    assert words.at_most(speed) == text
