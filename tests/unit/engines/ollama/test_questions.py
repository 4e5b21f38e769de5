"""Questions in the background: what a page waits for, and what it is told meanwhile."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from lib.core import patience
from lib.core.errors import EngineDown, EngineError
from lib.engines.ollama import questions
from lib.engines.ollama.questions import Questions

HERE, THERE = "http://here", "http://there"
PAGE = patience.PAGE_SECONDS


class Counted(threading.Condition):
    """Knows how long everybody was ready to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(float("inf") if timeout is None else timeout)
        return super().wait(timeout)


class Server:
    """One whose answers are held back until it is let go."""

    def __init__(self) -> None:
        self.answers: list[bytes | EngineError] = []
        self.asked = 0
        self.goes = threading.Event()

    def send(self) -> bytes:
        self.asked += 1
        assert self.goes.wait(60)
        answer = self.answers.pop(0) if self.answers else b""
        if isinstance(answer, EngineError):
            raise answer
        return answer


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.goes.set()
    settled()


@pytest.fixture
def waits() -> Counted:
    return Counted()


@pytest.fixture
def asking(waits: Counted) -> Questions:
    found = Questions()
    found._changed = waits
    return found


def settled() -> None:
    """Every question has been followed to its end."""
    for thread in threading.enumerate():
        if thread.name == questions.THREAD:
            thread.join(60)


def timed_out() -> EngineError:
    error = EngineError("It took too long.")
    error.__cause__ = httpx.ReadTimeout("late")
    return error


def test_what_comes_at_once_is_what_is_said(asking: Questions, server: Server) -> None:
    server.answers = [b"one", b"two"]
    server.goes.set()
    assert asking.ask(HERE, "/", server.send) == b"one"
    assert asking.ask(HERE, "/", server.send) == b"two"
    assert asking.silent_seconds(HERE) == 0


def test_a_hung_server_costs_one_wait_and_is_asked_once(
    asking: Questions, server: Server, waits: Counted
) -> None:
    for question in ("/", "/", "/other", "/"):
        with pytest.raises(EngineError, match="does not answer"):
            asking.ask(HERE, question, server.send)
    assert server.asked == 2  # each question once: none is sent twice while it is under way
    assert not server.goes.is_set()
    assert sum(waits.seconds) <= PAGE


def test_a_hung_server_keeps_nobody_from_another(asking: Questions, server: Server) -> None:
    with pytest.raises(EngineError):
        asking.ask(HERE, "/", server.send)
    assert asking.ask(THERE, "/", lambda: b"well") == b"well"


def test_where_the_answer_is_late_the_last_one_serves_and_its_age_is_known(
    asking: Questions, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asking.ask(HERE, "/", lambda: b"before") == b"before"
    assert asking.ask(HERE, "/", server.send) == b"before"
    assert asking.silent_seconds(HERE) == 0, "a hiccup is no silence"
    monkeypatch.setattr(questions, "HICCUP_SECONDS", 0.0)
    first = asking.silent_seconds(HERE)
    assert 0 < first < asking.silent_seconds(HERE)


def test_an_answer_that_comes_after_all_is_there_for_the_next_who_asks(
    asking: Questions, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "HICCUP_SECONDS", 0.0)
    server.answers = [b"late", b"later"]
    with pytest.raises(EngineError):
        asking.ask(HERE, "/", server.send)
    server.goes.set()
    settled()
    assert asking.ask(HERE, "/", server.send) in (b"late", b"later")
    settled()
    assert server.asked == 2


def test_a_question_whose_time_is_over_changes_nothing_that_is_known(
    asking: Questions, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asking.ask(HERE, "/", lambda: b"before") == b"before"
    server.answers = [timed_out(), timed_out()]
    server.goes.set()
    asking.ask(HERE, "/", server.send)
    settled()
    assert asking.ask(HERE, "/", server.send) == b"before"


def test_what_is_certainly_down_is_told_at_once_and_again(asking: Questions) -> None:
    assert asking.ask(HERE, "/", lambda: b"before") == b"before"

    def refused() -> bytes:
        raise EngineDown("Nothing answers.")

    for _ in range(3):
        with pytest.raises(EngineDown) as raised:
            asking.ask(HERE, "/", refused)
    depth, trace = 0, raised.value.__traceback__
    while trace:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 6, "what is raised again does not grow"


def test_an_answer_to_what_was_asked_before_a_change_counts_no_more(
    asking: Questions, server: Server
) -> None:
    server.answers = [b"before the change"]
    with pytest.raises(EngineError):
        asking.ask(HERE, "/", server.send)
    asking.forget_sent(HERE)
    assert asking.ask(HERE, "/", lambda: b"after") == b"after"
    server.goes.set()
    settled()
    assert asking.ask(HERE, "/", lambda: b"and after") == b"and after"


def test_what_a_command_was_told_is_known_to_pages(asking: Questions, server: Server) -> None:
    asking.learn(HERE, "/", b"by a command")
    assert asking.ask(HERE, "/", server.send) == b"by a command"
