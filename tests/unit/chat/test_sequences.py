"""What the random sequences of the chat hold against a page, a copy and an engine."""

from typing import Any

from tests.support.sequences.truth import Truth

WHOLE = "q001-00 re:q001-00 t0 q001-01 re:q001-01 t0"


def asked(*names: str) -> dict[str, Any]:
    return {"body": {"messages": [{"role": "user", "content": name} for name in names]}}


def two_questions() -> Truth:
    truth = Truth("q001")
    assert [truth.ask(0), truth.ask(0)] == ["q001-00", "q001-01"]
    return truth


def copy(*turns: tuple[str, str, str]) -> list[dict[str, Any]]:
    """A stored conversation of turns: their ids, what they follow, what they say."""
    roles = {True: "assistant", False: "user"}
    found = [
        {"id": i, "parent": above, "role": roles[said.startswith("re:")], "content": said}
        for i, above, said in turns
    ]
    return [{"document": {"turns": found}}]


RIGHT = [
    ("1", "", "q001-00"),
    ("2", "1", "re:q001-00 t0 t1"),
    ("3", "2", "q001-01"),
    ("4", "3", "re:q001-01 t0"),
]


def test_a_page_copy_and_engine_without_fault() -> None:
    truth = two_questions()
    assert truth.faults_of_page(0, WHOLE) == []
    assert truth.faults_of_copies(copy(*RIGHT)) == []
    calls = [asked("q001-00"), asked("q001-00", "q001-01")]
    assert truth.faults_of_calls(calls) == []


def test_a_page_that_loses_doubles_or_moves_is_at_fault() -> None:
    truth = two_questions()
    for text in ("q001-00", "q001-00 q001-01 q001-01", "q001-01 q001-00"):
        assert len(truth.faults_of_page(0, text)) == 1
    assert "below" in truth.faults_of_page(0, "q001-00 re:q001-01 q001-01")[0]


def test_a_copy_that_loses_doubles_or_moves_is_at_fault() -> None:
    truth = two_questions()
    assert truth.faults_of_copies([]) == ["0 conversations are stored"]
    assert truth.faults_of_copies(copy(*RIGHT[:2])) == ["q001-01 is not stored"]
    doubled = copy(*RIGHT, ("5", "4", "q001-01"))
    assert "q001-01 is stored 2 times" in truth.faults_of_copies(doubled)
    moved = copy(*RIGHT[:2], ("3", "", "q001-01"), RIGHT[3])
    assert truth.faults_of_copies(moved) == ["q001-01 is stored below [], not ['q001-00']"]
    swapped = copy(*RIGHT[:3], ("4", "3", "re:q001-00 t0"))
    assert truth.faults_of_copies(swapped) == ["re:q001-00 is stored below q001-01"]
    torn = copy(*RIGHT[:3], ("4", "3", "re:q001-01 t1"))
    assert truth.faults_of_copies(torn) == ["the words of re:q001-01 are ['t1']"]


def test_an_engine_that_is_asked_twice_or_out_of_order_tells_of_a_fault() -> None:
    truth = two_questions()
    once = asked("q001-00")
    assert truth.faults_of_copies(copy(*RIGHT[:3])) == ["q001-01 has no answer"]
    twice = [once, once, asked("q001-00", "q001-01")]
    assert truth.faults_of_calls(twice) == ["the engine was asked q001-00 2 times"]
    assert "below" in truth.faults_of_calls([once, asked("q001-01")])[0]


def test_an_edit_opens_a_branch_and_a_deletion_shows_what_stands_beside() -> None:
    truth = two_questions()
    assert truth.edit(0, 1) == "q001-02"
    assert truth.branches[0] == ["q001-00", "q001-02"]
    truth.delete(0, "q001-02")
    assert truth.branches[0] == ["q001-00", "q001-01"]
    truth.delete(0, "q001-00")
    assert (truth.branches[0], truth.above("q001-01")) == (["q001-01"], [])
