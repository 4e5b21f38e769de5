"""What runs now: shown from the moment that it is known who asks, gone when it is over."""

import pytest

from lib.core import access
from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.requests import log, running
from lib.requests.log import Outcome
from lib.requests.running import State
from tests.support.expect import expect_failure
from tests.support.requests import found


class Counting:
    """An answer as far as the test says."""

    events, first_at = 0, 0.0

    def counted(self) -> tuple[int, int]:
        return 7, self.events


def states() -> list[State]:
    return [one.state for one in running.every()]


def test_it_is_shown_with_its_state_and_written_down_at_its_end() -> None:
    heard = Counting()
    with running.doing("/v1/messages") as doing:
        assert running.every() == []
        doing.asks("fake", "laptop", "k1")
        assert states() == [State.WAITING]
        running.at(State.LOADING)
        assert states() == [State.LOADING]
        running.find(doing.id).at(State.READING)
        doing.hears(heard)
        assert states() == [State.READING]
        heard.events, heard.first_at = 3, doing.began + 2.0
        [now] = running.every()
        assert (now.state, now.tokens, now.first) == (State.ANSWERING, 3, 2.0)
        doing.answered(200, "", is_whole=True)
    assert running.every() == []
    log.settle()
    [row] = found()
    assert (row.who, row.key, row.model, row.prompt, row.reply) == ("laptop", "k1", "fake", 7, 3)
    assert (row.outcome, row.first, row.route) == (Outcome.DONE, 2.0, "/v1/messages")


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ((200, "", True), Outcome.DONE),
        ((200, "engine_failed", False), Outcome.FAILED),
        ((400, "wrong_field", True), Outcome.FAILED),
        ((200, "", False), Outcome.LEFT),
        ((0, "", False), Outcome.LEFT),
    ],
)
def test_how_it_ended(told: tuple[int, str, bool], outcome: Outcome) -> None:
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        doing.answered(*told)
    log.settle()
    assert [(row.outcome, row.status, row.code) for row in found()] == [(outcome, *told[:2])]


def test_what_was_refused_before_its_model_was_known_is_written_too() -> None:
    with running.doing("/v1/nothing") as doing:
        doing.answered(404, "not_found", is_whole=True)
    log.settle()
    assert [(row.status, row.model) for row in found()] == [(404, "")]


def test_a_question_that_is_no_request_of_a_model_is_not_written() -> None:
    with running.doing("/v1/models") as doing:
        doing.answered(200, "", is_whole=True)
    log.settle()
    assert found() == []


def test_a_bug_is_written_as_one() -> None:
    with pytest.raises(ZeroDivisionError), running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        raise ZeroDivisionError
    log.settle()
    assert [(row.outcome, row.code) for row in found()] == [(Outcome.FAILED, running.BUG)]


def test_it_is_stopped_at_once_and_its_client_is_told() -> None:
    ended: list[int] = []
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        doing.ends_by(lambda: ended.append(1))
        running.stop(doing.id)
        assert ended == [1]
        error = expect_failure("stopped_by_owner", doing.check)
        assert error.status == 403  # clients ask again after 5xx
        doing.answered(200, error.code, is_whole=False)
    log.settle()
    assert [row.outcome for row in found()] == [Outcome.STOPPED]


def test_a_stop_before_anything_can_be_ended_holds() -> None:
    ended: list[int] = []
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        running.stop(doing.id)
        doing.ends_by(lambda: ended.append(1))
        assert ended == [1]


def test_a_stop_that_comes_when_all_was_sent_changes_nothing() -> None:
    with running.doing("/v1/messages") as doing:
        doing.asks("fake", "a program")
        doing.answered(200, "", is_whole=True)
        running.stop(doing.id)
    log.settle()
    assert [row.outcome for row in found()] == [Outcome.DONE]


def test_all_requests_of_a_key_end_with_the_reason_that_is_given() -> None:
    with running.doing("/v1/messages") as mine, running.doing("/v1/messages") as other:
        mine.asks("fake", "laptop", "k1")
        other.asks("fake", "phone", "k2")
        assert running.stop_key("k1", Forbidden("The key was revoked.", "Ask for another.")) == 1
        assert expect_failure("forbidden", mine.check).message == "The key was revoked."
        other.check()


def test_what_is_over_cannot_be_stopped() -> None:
    expect_failure("not_found", lambda: running.stop("gone"))


def test_a_guest_sees_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_process", None)
    with running.doing("/v1/messages") as doing, acting(Role.GUEST, "g"):
        doing.asks("fake", "a program")
        expect_failure("forbidden", running.every)
        expect_failure("forbidden", lambda: running.stop(doing.id))
        doing.check()
