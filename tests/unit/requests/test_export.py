"""The log as a file: whole, in order, and nothing in it that a spreadsheet would run."""

import csv
import io
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import access
from lib.core.access import Role, acting
from lib.requests import export
from lib.requests.export import Format, What
from lib.requests.log import Filter
from tests.support.expect import expect_failure
from tests.support.requests import NOON, entry, lay


def made(what: What, form: Format, chosen: Filter | None = None) -> str:
    return "".join(export.pieces(what, form, chosen or Filter()))


def test_the_log_as_json_is_one_array_with_times_that_name_their_zone() -> None:
    lay(*(entry(id=str(number), at=NOON + number) for number in range(1_234)))
    told = json.loads(made(What.LOG, Format.JSON))
    assert [one["id"] for one in told] == [str(number) for number in range(1_233, -1, -1)]
    assert datetime.fromisoformat(told[-1]["at"]).timestamp() == NOON
    assert told[0]["outcome"] == "done"
    assert "number" not in told[0]


def test_the_log_as_csv_has_its_names_first() -> None:
    lay(entry(model="b"), entry(model='a,"b'))
    head, *lines = csv.reader(io.StringIO(made(What.LOG, Format.CSV)))
    assert head[:5] == ["id", "at", "key", "who", "model"]
    assert [line[4] for line in lines] == ['a,"b', "b"]


def test_a_choice_holds_for_the_file_too() -> None:
    lay(entry(model="a"), entry(model="b"))
    told = json.loads(made(What.LOG, Format.JSON, Filter(model="a")))
    assert [one["model"] for one in told] == ["a"]


def test_the_sums_as_a_file() -> None:
    lay(entry(), entry())
    [one] = json.loads(made(What.COUNTS, Format.JSON))
    assert (one["requests"], one["reply"], one["model"]) == (2, 40, "fake")
    assert made(What.COUNTS, Format.CSV).startswith("day,key,who,model,requests,unfinished,")


@pytest.mark.parametrize("what", What)
def test_an_empty_log_is_a_whole_file(what: What) -> None:
    assert json.loads(made(what, Format.JSON)) == []
    assert len(made(what, Format.CSV).splitlines()) == 1


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n=1", "＝1", "\u00a0+1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_a_mark(text: str) -> None:
    assert export.cell(text) == f"'{text}"


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    told = export.cell(text)
    assert told in (text, f"'{text}")
    assert not told.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.floats() | st.integers() | st.none())
def test_figures_stay_figures(value: float | None) -> None:
    assert export.cell(value) is value


def test_a_model_named_like_a_formula_is_none_in_the_file() -> None:
    lay(entry(model="=HYPERLINK(1)", who="@me", key="+k"))
    _, line = csv.reader(io.StringIO(made(What.LOG, Format.CSV)))
    assert line[2:5] == ["'+k", "'@me", "'=HYPERLINK(1)"]


def test_its_name_says_what_and_when() -> None:
    name = export.file_name(What.LOG, Format.CSV, datetime(2026, 11, 28, 9, 5))
    assert name == "berth-requests-log-20261128-0905.csv"


def test_a_guest_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_process", None)
    with acting(Role.GUEST, "g"):
        expect_failure("forbidden", lambda: made(What.LOG, Format.CSV))
