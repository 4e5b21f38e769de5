"""The lines of a reply on their way to the page."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lib.api.replies import _joined


def line(kind: str, *values: str | int) -> str:
    return json.dumps([kind, *values], ensure_ascii=False) + "\n"


def test_what_came_in_one_frame_is_one_line() -> None:
    lines = [line("b", 0), line("t", "a "), line("t", 'b"\n'), line("b", 1), line("t", "c")]
    found = [json.loads(one) for one in "".join(_joined(lines)).splitlines()]
    assert found == [["b", 0], ["t", 'a b"\n'], ["b", 1], ["t", "c"]]


def test_thoughts_and_words_are_not_mixed() -> None:
    lines = [line("r", "why"), line("r", " not"), line("t", "so"), line("e", "done")]
    found = [json.loads(one) for one in "".join(_joined(lines)).splitlines()]
    assert found == [["r", "why not"], ["t", "so"], ["e", "done"]]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_no_letter_is_lost(pieces: list[str]) -> None:
    joined = "".join(_joined([line("t", piece) for piece in pieces]))
    assert [json.loads(one)[1] for one in joined.split("\n") if one] == (
        ["".join(pieces)] if pieces else []
    )
