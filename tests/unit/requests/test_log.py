"""The log of requests: kept for 30 days, bounded, and no failure of the file stops anybody."""

import sqlite3
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import access, database
from lib.core.access import Role, acting
from lib.core.errors import NotFound
from lib.core.rate import Rate
from lib.requests import counts, log
from lib.requests.log import Filter, Outcome
from tests.support.expect import expect_failure
from tests.support.requests import NOON, entry, found, lay, noted

DAY = 86_400


@pytest.fixture(autouse=True)
def failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other tests do not count."""
    monkeypatch.setattr(log, "_FAILURES", Rate(60.0))


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a little later than what tests lay."""
    monkeypatch.setattr(time, "time", lambda: NOON + 100)


def test_what_is_over_is_written_down() -> None:
    noted(entry(key="k1", who="laptop"))
    [row] = found()
    assert row[1:] == entry(key="k1", who="laptop")[:-1]


def test_the_newest_stands_first_and_pages_go_on_where_the_last_one_ended() -> None:
    lay(*(entry(id=f"a-{number}", at=NOON + number) for number in range(25)))
    first = log.page(Filter(), limit=10)
    then = log.page(Filter(), first[-1].number, 10)
    assert [row.id for row in [*first, *then]] == [f"a-{number}" for number in range(24, 4, -1)]


KEYS, MODELS = st.sampled_from(["", "k1", "k2"]), st.sampled_from(["a", "b", "=c"])
ENTRIES = st.builds(
    entry,
    key=KEYS,
    model=MODELS,
    who=st.sampled_from(["a program", "laptop", "@it's"]),
    outcome=st.sampled_from(Outcome),
    at=st.floats(NOON - 1_000, NOON + 1_000),
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "key": KEYS,
        "model": MODELS,
        "who": st.sampled_from(["laptop", "@it's", "nobody"]),
        "outcome": st.sampled_from(Outcome),
        "since": st.floats(NOON - 2_000, NOON + 2_000),
        "until": st.floats(NOON - 2_000, NOON + 2_000),
    },
)


def is_chosen(row: Any, chosen: dict[str, Any]) -> bool:
    since, until = chosen.get("since", -1.0), chosen.get("until", NOON * 2)
    same = {name: value for name, value in chosen.items() if name not in ("since", "until")}
    return since <= row.at < until and all(getattr(row, n) == v for n, v in same.items())


@given(st.lists(ENTRIES, max_size=12), CHOICES)
def test_a_choice_finds_what_it_says_and_nothing_else(
    entries: list[log.Entry], chosen: dict[str, Any]
) -> None:
    lay(*entries)
    try:
        wanted = [one for one in entries if is_chosen(one, chosen)]
        rows = found(**chosen)
        assert [row[1:] for row in reversed(rows)] == [one[:-1] for one in wanted]
        summed = counts.by_day(Filter(**chosen))
        assert sum(one.requests for one in summed) == len(wanted)
        assert sum(one.prompt for one in summed) == 10 * len(wanted)
        bad = [one for one in wanted if one.outcome != Outcome.DONE]
        assert sum(one.unfinished for one in summed) == len(bad)
    finally:
        with database.opened(log.SCHEMA) as file:
            file.execute("DELETE FROM requests")
        log._rows.cache_clear()


def test_sums_are_by_key_model_and_day() -> None:
    lay(
        entry(at=NOON, model="a"),
        entry(at=NOON, model="a", outcome=Outcome.FAILED, reply=0),
        entry(at=NOON - DAY, model="a"),
        entry(at=NOON, model="b", key="k1", who="laptop"),
    )
    told = [(one.who, one.model, one.requests, one.unfinished, one.reply) for one in by_day()]
    assert told == [
        ("a program", "a", 2, 1, 20),
        ("laptop", "b", 1, 0, 20),
        ("a program", "a", 1, 0, 20),
    ]
    assert len({one.day for one in by_day()}) == 2


def by_day() -> list[counts.Count]:
    return counts.by_day(Filter())


def test_what_is_older_than_thirty_days_goes() -> None:
    lay(entry(id="old", at=NOON - 31 * DAY))
    noted(entry(id="new"))
    assert [row.id for row in found()] == ["new"]


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_ROWS", 10)
    lay(*(entry(id=str(number)) for number in range(30)))
    noted(entry(id="last"))
    assert [row.id for row in found()] == ["last", *map(str, range(29, 20, -1))]


def test_a_locked_file_is_told_once_and_what_waits_is_written_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    noted(entry(id="before"))
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    for number in range(3):
        noted(entry(id=str(number)))
        assert found() == []
    assert len(caplog.records) == 2  # that it cannot be kept, and that it cannot be read
    other.rollback()
    other.close()
    noted(entry(id="after"))
    assert [row.id for row in found()] == ["after", "2", "1", "0", "before"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(log, "MOST_WAITING", 5)
    noted(entry())
    other = sqlite3.connect(database.path())
    other.execute("BEGIN EXCLUSIVE")
    noted(*[entry()] * 20)
    other.rollback()
    other.close()
    noted(entry())
    assert 2 <= len(found()) <= 7


def test_who_floods_it_with_refusals_pushes_nobody_out() -> None:
    bad = entry(outcome=Outcome.FAILED, first=None, reply=0, status=404, code="not_found")
    noted(*[bad] * 500, entry(id="good"), bad._replace(id="another's", who="laptop"))
    assert len(found()) == log.FAILURES_A_MINUTE + 2
    assert {"good", "another's"} <= {row.id for row in found()}


def test_what_was_not_let_in_is_written_with_its_status() -> None:
    log.refused("/v1/models", NotFound("There is none.", "Look elsewhere."))
    log.settle()
    [row] = found()
    assert (row.route, row.outcome, row.status, row.code) == (
        "/v1/models",
        Outcome.FAILED,
        404,
        "not_found",
    )


@given(
    st.text(max_size=400) | st.just("\ud800"),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
)
def test_whatever_strangers_and_engines_say_is_kept_in_bounds(
    text: str, number: int, seconds: float
) -> None:
    noted(entry(model=text, who=text, code=text, prompt=number, reply=number, seconds=seconds))
    row = found()[0]
    assert len(row.model) <= log.LONGEST_NAME + 1
    assert not any(ord(one) < 32 for one in row.model + row.who + row.code)
    assert 0 <= row.prompt <= log.MOST_TOKENS


def test_what_is_left_out_of_a_choice_may_be_said_as_nothing() -> None:
    said = Filter(key=None, who=None, model=None, outcome=None, since=None, until=None)
    assert said.chosen() == Filter()
    assert said.where() == ("1", ())


def test_names_to_choose_from_are_those_in_it() -> None:
    lay(entry(), entry(key="k", who="laptop", model="b"), entry(model=""))
    assert log.models() == ["b", "fake"]
    assert log.senders() == [("", "a program"), ("k", "laptop")]


def test_a_guest_sees_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_process", None)
    with acting(Role.GUEST, "g"):
        for look in (log.senders, log.models, found, by_day):
            assert "Only the owner" in expect_failure("forbidden", look).message


def test_looking_makes_no_file() -> None:
    assert (found(), by_day(), log.models(), log.senders()) == ([], [], [], [])
    assert not database.path().exists()


def test_ten_thousand_rows_are_found_by_indexes() -> None:
    lay(*(entry(id=str(number), key=f"k{number % 7}") for number in range(10_000)))
    with database.opened(log.SCHEMA) as file:
        for query in (
            "SELECT * FROM requests ORDER BY number DESC LIMIT 50",
            "SELECT * FROM requests WHERE model = 'x' ORDER BY number DESC LIMIT 50",
            "SELECT * FROM requests WHERE outcome = 'x' ORDER BY number DESC LIMIT 50",
            "SELECT DISTINCT key, who FROM requests ORDER BY who, key LIMIT 200",
            "SELECT DISTINCT model FROM requests WHERE model != '' ORDER BY model LIMIT 200",
            "DELETE FROM requests WHERE at < 1",
            "DELETE FROM requests WHERE number <= (SELECT max(number) FROM requests) - 5",
        ):
            plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert not any(step == "SCAN requests" for step in plan if "DESC" not in query), plan
            assert not any("TEMP B-TREE FOR ORDER" in step for step in plan if "DESC" in query)
