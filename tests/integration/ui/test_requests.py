"""The requests page: what runs, the log, its choices, and what is kept."""

import csv
import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import database
from lib.core.settings import ROOT
from lib.requests import content, export, log, running
from lib.requests.log import Filter, Outcome
from lib.requests.running import Doing, State
from lib.ui.requests import log_view, now
from tests.support.requests import entry, lay
from tests.support.visitors import GUEST, OWNER

SECONDS = 30
PAGE = ROOT / "pages/7_Requests.py"


def opened(user: dict[str, str] = OWNER) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    page.user = dict(user)
    return again(page)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    every = (page.markdown, page.caption, page.warning, page.error, page.header)
    return "\n".join(str(one.value) for part in every for one in part).replace("\\", "")


def table(page: AppTest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page.dataframe[0].value.to_dict("records")
    return rows


@contextmanager
def asking(model: str = "fake", who: str = "laptop", key: str = "k1") -> Iterator[Doing]:
    with running.doing("/v1/messages") as doing:
        doing.asks(model, who, key)
        yield doing


def stops(page: AppTest) -> list[bool]:
    """Of each Stop, whether it can be pressed."""
    return [not one.disabled for one in page.button if one.label == "Stop"]


def test_an_empty_page_says_what_belongs_here() -> None:
    said = told(opened())
    assert "What programs and chats ask appears here." in said
    assert "Each request stands here when it is over." in said
    assert "Nothing of what is asked or answered is kept." in said


def test_a_guest_sees_the_one_line() -> None:
    lay(entry(at=time.time()))
    with asking():
        page = opened(GUEST)
    assert "is a matter of the owner of this machine" in told(page)
    assert not page.dataframe
    assert {one.label for one in page.button} <= {"Sign out"}


def test_what_runs_is_shown_and_stopped() -> None:
    ended: list[str] = []
    with asking() as doing:
        doing.ends_by(lambda: ended.append(doing.id))
        doing.at(State.LOADING)
        page = opened()
        assert "**fake** · laptop" in told(page)
        assert "Loading" in told(page)
        page.button(key=f"request-stop-{doing.id}").click()
        again(page)
        assert ended == [doing.id]


def test_the_row_of_what_is_over_stays_while_another_runs_below_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(now, "GONE_SECONDS", 0.0)
    with asking("upper") as upper:
        with asking("lower") as lower:
            page = opened()
            assert stops(page) == [True, True]
        # The lower one is over now, and nothing stands below it.
        assert stops(again(page)) == [True]
        with asking("newer") as newer:
            assert stops(again(page)) == [True, True]
            running._running.pop(upper.id)
            assert stops(again(page)) == [False, True]
            assert "Over" in told(page)
            assert page.button(key=f"request-stop-{newer.id}")
        assert stops(again(page)) == []
    assert lower.id != newer.id


def test_a_stop_that_comes_too_late_says_so() -> None:
    with asking() as doing:
        page = opened()
    page.button(key=f"request-stop-{doing.id}").click()
    assert "That request had ended already." in told(again(page))


def test_many_that_were_over_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {str(n): now.Line(title="", facts="", state="waiting", over=1.0) for n in range(100)}
    lines["last"] = now.Line(title="", facts="", state="waiting", over=0.0)
    kept = now._without_stale(lines, 2.0)
    assert list(kept) == [*map(str, range(100 - now.MOST_OVER, 100)), "last"]


CHOICES: list[tuple[Callable[[AppTest], Any], set[str]]] = [
    (lambda page: page.selectbox(key="requests_model").select("b"), {"two"}),
    (lambda page: page.selectbox(key="requests_who").select("laptop"), {"one"}),
    (lambda page: page.selectbox(key="requests_status").select("Failed"), {"two"}),
    (
        lambda page: page.selectbox(key="requests_time").select("Last 30 days"),
        {"one", "two", "old"},
    ),
]


@pytest.mark.parametrize(("choose", "wanted"), CHOICES)
def test_the_log_shows_what_is_chosen(choose: Callable[[AppTest], Any], wanted: set[str]) -> None:
    at = time.time()
    failed = {"outcome": Outcome.FAILED, "status": 404, "code": "not_found"}
    ways = {"one": "/v1/one", "two": "/v1/two", "old": "/v1/old"}
    lay(
        entry(at=at, key="k", who="laptop", route=ways["one"]),
        entry(at=at, model="b", route=ways["two"], **failed),
        entry(at=at - 10 * 86_400, route=ways["old"]),
    )
    page = opened()
    assert {row["Way"] for row in table(page)} == {ways["one"], ways["two"]}
    choose(page)
    assert {row["Way"] for row in table(again(page))} == {ways[name] for name in wanted}


def test_how_each_ended_is_a_word() -> None:
    at = time.time()
    ends = [(Outcome.DONE, 200), (Outcome.LEFT, 0), (Outcome.STOPPED, 403), (Outcome.FAILED, 404)]
    lay(*(entry(at=at, outcome=outcome, status=status) for outcome, status in ends))
    said = [row["Status"] for row in table(opened())]
    assert said == ["Failed (404)", "Stopped by you", "Client left", "Done"]


def test_ten_thousand_requests_are_looked_at_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    at = time.time()
    lay(*(entry(at=at, prompt=number) for number in range(10_000)))
    page = opened()
    assert [row["Prompt"] for row in table(page)] == [*range(9_999, 9_949, -1)]
    page.button(key="requests_older").click()
    assert table(again(page))[0]["Prompt"] == 9_949
    page.button(key="requests_newer").click()
    assert table(again(page))[0]["Prompt"] == 9_999
    looks: list[str] = []
    real = database.opened

    def opening(schema: str) -> AbstractContextManager[sqlite3.Connection]:
        looks.append(schema)
        return real(schema)

    monkeypatch.setattr(database, "opened", opening)
    again(page)
    assert looks == []  # nothing was written meanwhile


def test_sums_by_day() -> None:
    at = time.time()
    lay(entry(at=at), entry(at=at, outcome=Outcome.LEFT), entry(at=at, key="k", who="laptop"))
    page = opened()
    page.segmented_control(key="requests_view").select("By day")
    rows = table(again(page))
    assert [(row["Who"], row["Requests"], row["Not done"]) for row in rows] == [
        ("a program", 2, 1),
        ("laptop", 1, 0),
    ]


def test_what_is_downloaded_is_all_of_the_choice() -> None:
    lay(*(entry(at=time.time(), model="=b") for _ in range(120)))
    assert len(opened().get("download_button")) == 2
    chosen = Filter(model="=b")
    as_json = log_view._made(export.What.LOG, export.Format.JSON, chosen)
    as_csv = log_view._made(export.What.LOG, export.Format.CSV, chosen)
    assert len(json.loads(as_json)) == 120
    assert next(csv.DictReader(io.StringIO(as_csv)))["model"] == "'=b"


def test_the_switch_says_what_is_kept_and_takes_it_away() -> None:
    page = opened()
    page.toggle(key="requests_text").set_value(True)
    said = told(again(page))
    assert content.is_wanted()
    assert "is kept for 7 days" in said
    assert "Switched off, all of it is removed." in said
    page.toggle(key="requests_text").set_value(False)
    assert "Nothing of what is asked or answered is kept." in told(again(page))
    assert not content.is_wanted()


def test_the_details_show_what_was_kept_as_plain_text() -> None:
    content.choose(True)
    one = entry(
        at=time.time(), said=content.Said("# <b>Hello</b>", b'{"content": "![x](http://e)"}')
    )
    log.note(one)
    log.settle()
    page = opened()
    page.session_state["requests_opened"] = log.page(Filter())[0].number
    again(page)
    assert [block.value for block in page.code] == ["# <b>Hello</b>", "![x](http://e)"]


def test_the_details_say_that_nothing_was_kept() -> None:
    lay(entry(at=time.time()))
    page = opened()
    page.session_state["requests_opened"] = log.page(Filter())[0].number
    assert "What was asked and answered is not kept." in told(again(page))
