"""The owner's limits for guests: what they leave of a request, and that the owner has none."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import preferences
from lib.core.access import Actor, Role, acting
from lib.core.errors import BadInput, Conflict, Forbidden
from lib.core.preferences import GuestLimits, Preferences, change
from lib.core.rate import Rate
from lib.core.settings import settings
from lib.engines.base import ChatOptions, Model, State
from lib.sharing import limits
from lib.sharing.limits import (
    TooMany,
    TooOften,
    admit,
    admitted,
    may_use,
    within,
)

READY = Model(name="some", engine="llamacpp", state=State.READY)
ASLEEP = Model(name="some", engine="llamacpp", state=State.STOPPED)
ME, YOU, OWNER = (
    Actor(Role.GUEST, "guest-me"),
    Actor(Role.GUEST, "guest-you"),
    Actor(Role.OWNER, "owner"),
)


@pytest.fixture(autouse=True)
def _nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_asked", Rate(60))


def test_the_owner_has_no_limits() -> None:
    options = ChatOptions(max_tokens=10**6)
    running = [OWNER] * 100 + [ME] * 100
    for _ in range(100):
        assert admit(*OWNER, ASLEEP, options, running) is options


@given(st.none() | st.integers(1, 10**9), st.integers(16, 10**6))
def test_a_reply_is_never_longer_than_the_limit(asked: int | None, limit: int) -> None:
    options = ChatOptions(max_tokens=asked, temperature=0.5, stop=("x",))
    left = within(GuestLimits(tokens_per_reply=limit), ME.who, READY, options, [])
    assert left.max_tokens == min(asked or limit, limit)
    assert left.model_copy(update={"max_tokens": asked}) == options


def test_a_model_on_another_machine_is_for_guests_only_where_the_owner_names_it() -> None:
    there = Model(name="big@lab", engine="vllm", state=State.READY, is_elsewhere=True)
    with pytest.raises(Forbidden, match="is not for guests"):
        within(GuestLimits(), ME.who, there, ChatOptions(), [])
    assert within(GuestLimits(models=["vllm/big@lab"]), ME.who, there, ChatOptions(), [])
    assert admit(*OWNER, there, ChatOptions(), [])


def test_a_guest_gets_one_reply_at_a_time_and_all_guests_four() -> None:
    with pytest.raises(TooMany, match="still being answered"):
        admit(*ME, READY, ChatOptions(), [OWNER, ME])
    assert admit(*ME, READY, ChatOptions(), [OWNER] * 50 + [YOU] * 3)
    with pytest.raises(TooMany, match="other guests"):
        admit(*ME, READY, ChatOptions(), [YOU] * 4)


@given(
    st.lists(st.sampled_from([ME, YOU, OWNER]), max_size=12), st.integers(1, 5), st.integers(1, 8)
)
def test_replies_are_never_more_than_allowed(running: list[Actor], each: int, all_: int) -> None:
    chosen = GuestLimits(replies_each=each, replies_of_all=all_)
    guests = [actor for actor in running if actor.role == Role.GUEST]
    is_free = running.count(ME) < each and len(guests) < all_
    try:
        within(chosen, ME.who, READY, ChatOptions(), running)
    except TooMany as refused:
        assert not is_free
        assert refused.status == 429
    else:
        assert is_free


def test_a_guest_asks_twenty_times_a_minute() -> None:
    for _ in range(20):
        admit(*ME, READY, ChatOptions(), [])
    with pytest.raises(TooMany, match="20 times in the last minute"):
        admit(*ME, READY, ChatOptions(), [])
    assert admit(*YOU, READY, ChatOptions(), [])


def test_a_refused_request_does_not_count() -> None:
    for _ in range(50):
        with pytest.raises(Conflict):
            admit(*ME, READY, ChatOptions(), [ME])
    assert admit(*ME, READY, ChatOptions(), [])


def test_only_running_models_unless_the_owner_lets_guests_load() -> None:
    with pytest.raises(Forbidden, match="does not run"):
        admit(*ME, ASLEEP, ChatOptions(), [])
    assert not may_use(Role.GUEST, ASLEEP)
    change(guests={"may_load": True})
    assert admit(*ME, ASLEEP, ChatOptions(), [])
    assert may_use(Role.GUEST, ASLEEP)
    with acting(*ME):
        limits.require_loading(ASLEEP)


def test_only_the_models_that_the_owner_chose() -> None:
    change(guests={"models": ["llamacpp/other"], "may_load": True})
    for model in (READY, ASLEEP):
        with pytest.raises(Forbidden, match="not for guests"):
            admit(*ME, model, ChatOptions(), [])
        assert not may_use(Role.GUEST, model)
        assert may_use(Role.OWNER, model)
        with acting(*ME), pytest.raises(Forbidden):
            limits.require_loading(model)
    change(guests={"models": ["llamacpp/some"]})
    assert admit(*ME, READY, ChatOptions(), [])


def test_a_reply_counts_until_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", 0.05)
    with acting(*ME), admitted(READY, ChatOptions()) as options:
        assert options.max_tokens == 2_048
        with pytest.raises(TooMany), admitted(READY, ChatOptions()):
            raise AssertionError("A second reply began.")
        with acting(*YOU), admitted(READY, ChatOptions()):
            pass
    with acting(*ME), admitted(READY, ChatOptions()):
        pass


def test_a_reply_that_ends_in_a_moment_makes_room() -> None:
    order: list[str] = []
    is_begun, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with acting(*ME), admitted(READY, ChatOptions()):
            is_begun.set()
            may_end.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert is_begun.wait(10)
    threading.Timer(0.2, may_end.set).start()
    with acting(*ME), admitted(READY, ChatOptions()):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    "table",
    [
        {"tokens_per_reply": 0},
        {"tokens_per_reply": "many"},
        {"replies_each": -1},
        {"replies_of_all": True},
        {"questions_per_minute": 1.5},
        {"models": "all"},
        {"models": [1]},
        {"may_load": "yes"},
    ],
    ids=str,
)
def test_limits_that_are_none_are_not_saved(table: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        change(guests=table)
    assert preferences.preferences() == Preferences()


def test_a_broken_table_leaves_the_careful_defaults() -> None:
    change(llama_server="off")
    with settings().preferences.open("a") as file:
        file.write('\n[guests]\nmay_load = true\nreplies_each = "x"\n')
    assert preferences.preferences().guests == GuestLimits()
    assert "guests" in preferences.problem()


def test_how_long_until_the_next_question_is_told_to_the_second() -> None:
    change(guests={"questions_per_minute": 1})
    admit(*ME, READY, ChatOptions(), [])
    with pytest.raises(TooOften, match="asked 1 time in the last minute") as refused:
        admit(*ME, READY, ChatOptions(), [])
    assert 59 < refused.value.seconds <= 60
    assert refused.value.fix == "The next question can go in 1 min 0 s."


def test_a_question_waits_for_its_minute_and_then_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_asked", Rate(0.4))
    monkeypatch.setattr(limits, "TELL_SECONDS", 0.05)
    change(guests={"questions_per_minute": 1})
    left: list[float] = []

    def waits(seconds: float) -> bool:
        left.append(seconds)
        return True

    with acting(*ME):
        for _ in range(3):
            with admitted(READY, ChatOptions(), waits) as options:
                assert options.max_tokens == 2_048
    assert len(left) > 2
    assert max(left) <= 0.4


def test_a_question_that_was_stopped_waits_no_more() -> None:
    change(guests={"questions_per_minute": 1})
    admit(*ME, READY, ChatOptions(), [])
    with acting(*ME), pytest.raises(TooOften), admitted(READY, ChatOptions(), lambda _: False):
        raise AssertionError("It went.")
    assert limits._waiting == []


def test_one_question_of_a_guest_waits_and_a_second_is_refused() -> None:
    change(guests={"questions_per_minute": 1})
    admit(*ME, READY, ChatOptions(), [])
    seen: list[str] = []

    def waits(_: float) -> bool:
        with pytest.raises(TooOften), admitted(READY, ChatOptions(), waits):
            raise AssertionError("It went.")
        seen.append("refused")
        return False

    with acting(*ME), pytest.raises(TooOften), admitted(READY, ChatOptions(), waits):
        raise AssertionError("It went.")
    assert seen == ["refused"]


@given(st.lists(st.floats(0, 100), max_size=12), st.integers(1, 5))
def test_after_the_wait_there_is_room_and_not_before(times: list[float], most: int) -> None:
    rate, now = Rate(60), 100.0
    for moment in sorted(times):
        rate.count("a", moment)
    wait = rate.wait("a", most, now)
    assert (wait == 0) == (rate.lately("a", now) < most)
    assert rate.lately("a", now + wait + 1e-6) < most
