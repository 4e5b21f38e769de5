"""The files of answers: what stands there is whole, counted, and never lost."""

import contextlib
import json
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.batches import places
from lib.batches.record import Asked, Tokens
from lib.batches.results import Result, Results, used
from lib.core.errors import NoSpace
from tests.unit.batches.test_asking import ASKED


def content(home: Path, file_id: str) -> Path:
    return home / "batches" / "files" / file_id / "content"


def output(home: Path, asked: Asked = ASKED) -> Path:
    return content(home, places.output_id(asked.id))


def test_answers_and_failures_go_to_two_files(home: Path) -> None:
    made = Results(ASKED)
    made.add([Result("a", 200, {"usage": {"prompt_tokens": 2, "total_tokens": 2}})])
    made.add([Result("b", 400, {}), Result("c", code="batch_expired", message="late")])
    made.close()
    [answer] = map(json.loads, output(home).read_text().splitlines())
    failed = content(home, places.errors_id(ASKED.id)).read_text().splitlines()
    assert answer["custom_id"] == "a"
    assert [json.loads(one)["error"] for one in failed] == [
        None,
        {"code": "batch_expired", "message": "late"},
    ]
    assert (made.completed, made.failed, made.tokens) == (1, 2, Tokens(input=2))


def test_whoever_goes_on_knows_all_of_it(home: Path) -> None:
    made = Results(ASKED)
    made.add([Result("a", 200, {"usage": {"input_tokens": 3, "output_tokens": 4}})])
    made.add([Result("b", 500, None)])
    again = Results(ASKED)
    assert again.answered == {"a", "b"}
    assert (again.completed, again.failed, again.tokens) == (1, 1, Tokens(input=3, output=4))


@pytest.mark.parametrize("torn", [b'{"custom_id": "b", "resp', b"\0" * 40, b'["b"]\n', b"\n"])
def test_a_torn_end_is_taken_away_before_more_is_written(home: Path, torn: bytes) -> None:
    Results(ASKED).add([Result("a", 200, {})])
    with output(home).open("ab") as file:
        file.write(torn)
    again = Results(ASKED)
    assert again.answered == {"a"}
    again.add([Result("b", 200, {})])
    lines = output(home).read_bytes().splitlines()
    assert [json.loads(one)["custom_id"] for one in lines] == ["a", "b"]


def test_the_files_are_their_owners_alone(home: Path) -> None:
    Results(ASKED).add([Result("a", 200, {})])
    assert output(home).stat().st_mode & 0o777 == 0o600
    for folder in output(home).parents[:3]:
        assert folder.stat().st_mode & 0o777 == 0o700


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As a full disk does, it takes the beginning of what is written, and then no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_whole_lines_and_says_so(home: Path) -> None:
    made = Results(ASKED)
    made.add([Result("a", 200, {})])
    size = output(home).stat().st_size
    with files_of_at_most(size + 10), pytest.raises(NoSpace, match="goes on by itself"):
        made.add([Result("b", 200, {})])
    assert output(home).stat().st_size == size
    assert made.answered == {"a"}
    made.add([Result("b", 200, {})])
    assert Results(ASKED).answered == {"a", "b"}


def test_what_answers_took_is_read_in_every_dialect() -> None:
    chat = {
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert used({"usage": chat}) == Tokens(input=5, cached=1, output=6, reasoning=2)
    odd = [None, 7, {}, {"usage": 1}, {"usage": {"prompt_tokens": "9", "input_tokens_details": 1}}]
    assert {used(one) for one in map(str, odd)} | {used(one) for one in odd} == {Tokens()}


@settings(max_examples=30)
@given(st.data())
def test_wherever_a_file_was_cut_its_whole_lines_remain(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as world:
        world.setenv("BERTH_HOME", folder)
        made = Results(ASKED)
        for name in "abcd":
            made.add([Result(name, 200, {"text": "ü\n"})])
        made.close()
        whole = output(Path(folder)).read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        output(Path(folder)).write_bytes(whole[:cut])
        again = Results(ASKED)
        again.close()
        assert again.answered == set("abcd"[: whole[:cut].count(b"\n")])
        assert output(Path(folder)).read_bytes() == whole[: whole.rfind(b"\n", 0, cut) + 1]
