"""Which models answer together and which one after the other; what is told of their answers."""

import csv
import io
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat import rounds
from lib.chat.compare import Contender, queue
from lib.chat.conversations import (
    Document,
    Turn,
    read_document,
    said,
)
from lib.core.errors import BadInput
from lib.fit.memory import FULL

GIB = 2**30
ROUND = "f" * 32
QUESTION = said("user", "Why is the sky blue?", "0" * 32)


@st.composite
def contenders(draw: st.DrawFn) -> list[Contender]:
    needs = draw(st.lists(st.sampled_from([0, GIB // 2, GIB, 3 * GIB]), min_size=1, max_size=4))
    return [Contender(lane, need, draw(st.booleans())) for lane, need in enumerate(needs, 1)]


@given(contenders(), st.integers(0, 16 * GIB))
def test_nobody_waits_exactly_where_all_fit_at_once(found: list[Contender], free: int) -> None:
    needed = sum(each.need_bytes for each in found)
    assert (queue(found, free) == []) == (needed <= FULL * free)


@given(contenders(), st.integers(0, GIB))
def test_a_queue_has_each_that_is_to_be_loaded_once_and_none_that_somebody_else_started(
    found: list[Contender], free: int
) -> None:
    if queued := queue(found, free):
        loaded = {each.lane for each in found if each.need_bytes}
        ours = {each.lane for each in found if each.is_ours}
        assert len(queued) == len(set(queued))
        assert loaded <= set(queued) <= loaded | ours


@given(contenders(), st.integers(0, GIB))
def test_what_is_in_memory_answers_before_it_has_to_make_room(
    found: list[Contender], free: int
) -> None:
    needs = {each.lane: each.need_bytes for each in found}
    in_memory = [needs[lane] == 0 for lane in queue(found, free)]
    assert in_memory == sorted(in_memory, reverse=True)


def answer(model: str, lane: int, content: str = "Because.", **more: Any) -> Turn:
    turn = said("assistant", content, str(lane) * 32, QUESTION["id"])
    return cast("Turn", {**turn, "model": model, "round": ROUND, "lane": lane, **more})


def pair(**more: Any) -> list[Turn]:
    figures = {"tokens_per_second": 12.34, "completion_tokens": 1_234, "first_token_seconds": 0.2}
    return [answer("mistral", 1, figures=figures), answer("qwen", 2, **more)]


def test_answers_stand_in_their_columns_whatever_came_first() -> None:
    first, second = pair()
    assert rounds.answers([QUESTION, second, first], ROUND) == [first, second]
    assert rounds.answers([QUESTION, second, first], "") == []
    assert rounds.answers([QUESTION, first], "e" * 32) == []


def test_a_deleted_answer_gives_its_column_to_the_one_that_repeats_it() -> None:
    gone, again = answer("qwen", 2, gone=True), answer("qwen", 2, id="9" * 32)
    found = rounds.answers([gone, again], ROUND)
    assert [turn["id"] for turn in found] == ["9" * 32]


def test_without_a_vote_it_goes_on_from_the_first_that_is_an_answer() -> None:
    assert rounds.going_on(pair())["model"] == "mistral"
    failed = answer("mistral", 1, "", state="failed")
    assert rounds.going_on([failed, pair()[1]])["model"] == "qwen"
    assert rounds.going_on([failed])["model"] == "mistral"


def test_a_vote_decides_and_a_second_one_takes_its_place() -> None:
    turns = [QUESTION, *pair()]
    for chosen, other in (("2" * 32, "1" * 32), ("1" * 32, "2" * 32)):
        assert set(rounds.prefer(turns, chosen)) == {chosen, other}
        assert [turn["id"] for turn in turns if turn["vote"]] == [chosen]
        assert rounds.going_on(rounds.answers(turns, ROUND))["id"] == chosen


def test_a_vote_for_what_is_not_there_changes_nothing() -> None:
    turns = [QUESTION, *pair(vote=True)]
    assert rounds.prefer(turns, "8" * 32) == []
    assert rounds.prefer(turns, QUESTION["id"]) == []
    assert [turn["vote"] for turn in turns] == [False, False, True]


def test_votes_are_counted_by_model_one_a_round() -> None:
    turns = pair(vote=True)
    for name in "abc":
        turns += [answer("mistral", 1, round=name * 32, vote=True)]
    twice = [answer(model, lane, round="d" * 32, vote=True) for lane, model in ((1, "a"), (2, "b"))]
    assert rounds.tally([*turns, *twice]) == [("mistral", 3), ("qwen", 1), ("a", 1)]
    assert rounds.tally([QUESTION]) == []


def test_markdown_has_the_prompt_the_figures_as_a_table_and_every_answer() -> None:
    text = rounds.as_markdown("Why?\nReally", pair(vote=True, content="**Rayleigh**"))
    assert "> Why?\n> Really" in text
    assert "| mistral | 0.20 s | 12.3 tok/s | 1,234 |  | done |" in text
    assert "| qwen |  |  |  |  | preferred |" in text
    assert "## qwen\n\n**Rayleigh**" in text


def test_a_model_that_did_not_answer_says_why_in_the_export() -> None:
    problem = {"message": "The engine ended.", "fix": ""}
    text = rounds.as_markdown("Why?", pair(content="", state="failed", problem=problem))
    assert "*The engine ended.*" in text


def test_a_name_cannot_break_the_table() -> None:
    assert r"| a\|b |" in rounds.as_markdown("Why?", [answer("a|b", 1)])


def test_json_has_numbers_and_null_where_nothing_was_measured() -> None:
    told = json.loads(rounds.as_json("Why?", pair()))
    assert told["prompt"] == "Why?"
    first, second = told["answers"]
    assert (first["completion_tokens"], second["completion_tokens"]) == (1_234, None)


@given(st.text(), st.text())
def test_csv_is_read_as_it_was_written_and_no_cell_begins_a_formula(
    prompt: str, content: str
) -> None:
    text = rounds.as_csv(prompt, [answer("qwen", 1, content)])
    [told] = csv.DictReader(io.StringIO(text, newline=""))
    for name, given_text in (("prompt", prompt), ("answer", content)):
        assert told[name].removeprefix("'") == given_text.removeprefix("'")
        assert not told[name].startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("odd", [{"lane": 99}, {"lane": -1}, {"vote": "perhaps"}, {"lane": "x"}])
def test_an_imported_turn_cannot_stand_in_a_column_that_is_not_there(odd: dict[str, Any]) -> None:
    turn = {**pair()[0], **odd}
    with pytest.raises(BadInput):
        read_document(json.dumps({"version": 2, "turns": [turn]}))


def test_a_turn_of_before_there_were_columns_stands_in_none() -> None:
    old = json.dumps({"turns": [{"role": "assistant", "content": "Hi"}]})
    [turn] = read_document(old).turns
    assert (turn["lane"], turn["vote"]) == (0, False)
    assert read_document(Document(turns=[turn]).text()).turns == [turn]
