"""A system prompt's beginning stays the same from turn to turn."""

from typing import Any

import pytest

from lib.api.shield import steady
from lib.api.shield.steady import LEFT_OUT, MOVED
from lib.core.preferences import change
from tests.unit.api.test_shield import sent, told

NUMBER = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;"
CLOCK = "Current time: 2026-11-28T10:15:02Z"
REST = "You are a careful agent."
USER = {"role": "user", "content": "Hello"}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


# Per dialect: a request whose beginning is this text, and where that beginning is in what is sent.
def messages(first: str) -> dict[str, Any]:
    return sent("/messages", system=[text(first), text(REST)])


def counted(first: str) -> dict[str, Any]:
    return sent("/messages/count_tokens", system=f"{first}\n{REST}")


def chat(first: str) -> dict[str, Any]:
    said = [{"role": "system", "content": f"{first}\n{REST}"}, USER]
    return sent("/chat/completions", messages=said)


def developer(first: str) -> dict[str, Any]:
    said = [{"role": "developer", "content": [text(first), text(REST)]}, USER]
    return sent("/chat/completions", messages=said)


def responses(first: str) -> dict[str, Any]:
    return sent("/responses", instructions=f"{first}\n{REST}", input="Hello")


def items(first: str) -> dict[str, Any]:
    return sent("/responses", input=[{"role": "developer", "content": f"{first}\n{REST}"}, USER])


EVERY_WAY = pytest.mark.parametrize(
    "way", [messages, counted, chat, developer, responses, items], ids=lambda way: way.__name__
)


@EVERY_WAY
def test_a_number_of_the_agents_own_does_not_reach_the_engine(way: Any) -> None:
    assert way(NUMBER) == way(NUMBER.replace("36ee5", "0aaa9"))
    assert "billing" not in str(way(NUMBER)) and REST in str(way(NUMBER))


@EVERY_WAY
def test_a_line_with_the_time_goes_to_the_end_of_the_last_message(way: Any) -> None:
    made = str(way(CLOCK))
    assert made.index("Hello") < made.index(CLOCK)
    assert made.count(CLOCK) == 1


def test_what_was_sent_is_not_changed_so_that_asking_once_more_sends_the_same() -> None:
    system = [text(NUMBER), text(REST)]
    before = sent("/messages", system=system)
    assert system == [text(NUMBER), text(REST)]
    assert sent("/messages", system=system) == before


def test_the_client_is_told() -> None:
    assert told("/messages", system=NUMBER)["berth-note"] == LEFT_OUT
    assert told("/messages", system=CLOCK)["berth-note"] == MOVED
    assert told("/messages", system=REST) == {}


def test_it_is_said_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    steady._logged.clear()
    for _ in range(3):
        told("/messages", system=NUMBER)
    assert [record.message for record in caplog.records if LEFT_OUT in record.message] != []
    assert len(caplog.records) == 1


def test_a_system_prompt_of_nothing_else_goes() -> None:
    assert "system" not in sent("/messages", system=NUMBER)
    assert "system" not in sent("/messages", system=[text(NUMBER)])
    said = [{"role": "system", "content": NUMBER}, USER]
    assert sent("/chat/completions", messages=said)["messages"] == [USER]


@pytest.mark.parametrize(
    "line",
    [
        "Meet at 10:15 in the hall.",  # no word of now
        "Now " + "and then " * 40 + "10:15",  # a paragraph, not a stamp
        "See x-anthropic-billing-header: in the middle of a sentence.",
        "The current ratio is 1:5.",
    ],
)
def test_other_lines_stay(line: str) -> None:
    assert sent("/messages", system=f"{REST}\n{line}")["system"] == f"{REST}\n{line}"
    assert told("/messages", system=line) == {}


def test_what_a_person_writes_is_never_touched() -> None:
    said = [{"role": "user", "content": f"{NUMBER}\n{CLOCK}"}]
    assert sent("/messages", messages=said)["messages"] == said
    assert sent("/responses", input=f"{NUMBER}\n{CLOCK}")["input"] == f"{NUMBER}\n{CLOCK}"


def test_where_the_last_message_is_a_tools_the_time_stays() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = [
        {"role": "system", "content": f"{NUMBER}\n{CLOCK}"},
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    ]
    made = sent("/chat/completions", messages=said)["messages"]
    assert made[0]["content"] == CLOCK and made[-1]["content"] == "done"


def test_a_result_of_a_tool_in_a_turn_of_the_user_keeps_its_place_before_the_time() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "done"}
    use = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    said = [USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    made = sent("/messages", system=CLOCK, messages=said)
    assert made["messages"][-1]["content"] == [result, text(CLOCK)]


def test_it_can_be_switched_off() -> None:
    change(steady_prompts=False)
    assert sent("/messages", system=f"{NUMBER}\n{CLOCK}")["system"] == f"{NUMBER}\n{CLOCK}"
