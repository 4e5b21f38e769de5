"""The end of a log in pieces: whole lines, in order, and the same ones while it grows."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.jobs.log import pieces

LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), max_size=60
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@given(LINES, st.integers(1, 8), st.integers(8, 64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_are_the_end_of_the_log_in_order(
    path: Path, lines: list[str], count: int, piece_bytes: int
) -> None:
    text = "\n".join(lines)
    path.write_text(f"{text}\n", encoding="utf-8", newline="")
    found = pieces(path, count, piece_bytes)
    assert len(found) <= count
    assert text.endswith("\n".join(found)) or "\ufffd" in found[0]  # a line cut in a character
    assert "\n".join(pieces(path, 10_000, piece_bytes)) == text


def test_all_but_the_last_piece_stay_the_same_while_the_log_grows(path: Path) -> None:
    with path.open("w") as log:
        before: list[str] = []
        for number in range(2_000):
            print(f"line {number}", file=log, flush=True)
            now = pieces(path, 4, 256)
            assert set(before[:-1]) - set(now) <= {before[0]} if before else True
            before = now
    assert before[-1].endswith("line 1999")


def test_a_line_longer_than_a_piece_is_shown_from_where_reading_began(path: Path) -> None:
    path.write_bytes(b"x" * 100_000)
    assert pieces(path, 2, 1_000) == ["x" * 1_001]


def test_of_a_line_written_over_again_the_last_is_shown(path: Path) -> None:
    path.write_bytes(b"10%\r20%\r30%\r\ndone\n")
    assert pieces(path, 2) == ["30%\ndone"]


def test_odd_bytes_and_an_absent_log_are_no_error(path: Path) -> None:
    assert pieces(path, 3) == []
    path.write_bytes(b"\xff\xfe\x00 end")
    assert pieces(path, 3)[0].endswith(" end")
