"""What a key is made with, and what it may do."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.keys.key import RESERVED, Key, KeyChange, NewKey, may_use

KEY = Key("1", "laptop", "berth-abcd", 1000.0)


def test_a_key_without_a_list_may_use_every_model() -> None:
    assert may_use(KEY, "any")
    assert may_use(None, "any")


def test_a_key_with_a_list_may_use_those_and_no_other_to_the_letter() -> None:
    key = KEY._replace(models=("org/a:q4",))
    assert may_use(key, "org/a:q4")
    for other in ("org/a", "ORG/A:Q4", "org/a:q4 ", "org/a:q4\x00", "", "a:q4"):
        assert not may_use(key, other)


def test_a_key_holds_until_its_time_and_while_it_is_not_disabled() -> None:
    key = KEY._replace(expires_at=2000.0)
    assert key.holds(1999.9)
    assert not key.holds(2000.0)
    assert not key._replace(is_disabled=True).holds(1500.0)
    assert KEY.holds(1e12)


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nX-Injected: 1",
        "a\nb",
        "a\x00b",
        "a\x1b[31mb",
        "\u202egpj",
        "a\u2028b",
        "a\u200bb",
        "",
        "   ",
        "x" * 65,
        *sorted(RESERVED),
        "GUEST",
        "Guest Ada",
        " Berth ",
    ],
)
def test_a_name_that_breaks_a_line_or_passes_for_another_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        NewKey(name=name)


def test_a_name_is_kept_as_it_was_meant() -> None:
    assert NewKey(name="  Ada's laptop: “blue” <b>  ").name == "Ada's laptop: “blue” <b>"


@pytest.mark.parametrize(
    "limits",
    [
        {"models": []},
        {"models": [""]},
        {"models": ["a\nb"]},
        {"models": ["x"] * 201},
        {"per_minute": 0},
        {"per_minute": "3"},
        {"per_minute": 1.5},
        {"per_minute": True},
        {"tokens_a_day": -1},
        {"tokens_a_day": 10**13},
        {"expires_at": math.nan},
        {"expires_at": math.inf},
        {"expires_at": 1e20},
        {"expires_at": -1},
        {"secret": "berth-mine"},
        {"id": "mine"},
        {"is_disabled": True},
    ],
)
def test_limits_that_mean_nothing_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewKey(name="laptop", **limits)


def test_a_change_is_of_what_was_sent_alone() -> None:
    assert KeyChange().changes() == {}
    assert KeyChange(name=None, is_disabled=None).changes() == {}
    sent = KeyChange.model_validate({"models": None, "per_minute": None, "is_disabled": False})
    assert sent.changes() == {"models": None, "per_minute": None, "is_disabled": False}


def test_a_model_is_named_once() -> None:
    assert NewKey(name="laptop", models=["a", "b", "a"]).models == ("a", "b")


@given(st.text(max_size=80))
def test_whatever_name_is_taken_stands_in_one_line_of_a_header(name: str) -> None:
    try:
        taken = NewKey(name=name).name
    except ValidationError:
        return
    assert taken == taken.strip() != ""
    assert taken.splitlines() == [taken]
    assert not any(ord(one) < 32 or ord(one) == 127 for one in taken)
