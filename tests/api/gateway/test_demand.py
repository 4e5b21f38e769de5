"""A model that does not run is started when a program names it."""

import concurrent.futures
import contextlib
import json
import os
import signal
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from lib.core import activity
from lib.engines.room import Loading
from lib.processes.background import me
from tests.support.gateway import post
from tests.support.server import Server, running_server
from tests.support.slow_start import HELLO, Asking, SlowStart, slow_start
from tests.support.tiny_gguf import write_tiny, write_truncated
from tests.support.waiting import until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowStart]:
    with slow_start(tmp_path_factory.mktemp("slow")) as made:
        yield made


@pytest.fixture
def slow(shared: SlowStart) -> Iterator[SlowStart]:
    """Nothing runs, and what begins to load waits for `let_go`."""
    shared.hold()
    yield shared
    shared.let_go()
    for model in ("sleepy", "drowsy"):
        shared.stop(model)


@pytest.fixture
def server(shared: SlowStart) -> Server:
    return shared.server


def test_a_stopped_model_is_loaded_while_the_client_waits_and_is_told(slow: SlowStart) -> None:
    asking = Asking(slow.server, {**HELLO, "stream": True})
    until(lambda: asking.comments, "a comment")
    assert (asking.status, asking.events) == (200, [])
    slow.let_go()
    asking.told()
    assert asking.comments[0].startswith(": loading")
    assert asking.lines[-2] == "data: [DONE]"
    assert asking.events[-1]["choices"][0]["finish_reason"]
    assert slow.state() == "running"


def test_who_waits_for_no_stream_gets_the_whole_answer(slow: SlowStart) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asking = pool.submit(post, slow.server, HELLO)
        until(slow.is_loading, "a load")
        slow.let_go()
        assert asking.result(60).json()["choices"][0]["finish_reason"]


def test_the_official_clients_skip_what_they_are_told(
    slow: SlowStart, client: openai.OpenAI
) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        chat = pool.submit(
            lambda: list(client.chat.completions.create(**{**HELLO, "stream": True}))
        )
        response = pool.submit(_response, client)
        message = pool.submit(_message, slow.server)
        watcher = Asking(slow.server, {**HELLO, "stream": True})
        until(lambda: watcher.comments, "a comment")
        slow.let_go()
        assert chat.result(60)[-1].choices[0].finish_reason
        assert response.result(60) in ("response.completed", "response.incomplete")
        assert message.result(60) in ("max_tokens", "end_turn")
        watcher.told()


def _response(client: openai.OpenAI) -> str:
    """The last event."""
    with client.responses.stream(model="sleepy", input="Hello", max_output_tokens=4) as stream:
        return [event.type for event in stream][-1]


def _message(server: Server) -> str | None:
    said: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hello"}]
    with (
        anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0) as claude,
        claude.messages.stream(model="sleepy", messages=said, max_tokens=4) as stream,
    ):
        return stream.get_final_message().stop_reason


def test_all_that_name_it_wait_for_one_load(
    slow: SlowStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTH_HOME", str(slow.home))
    before = len(_starts())
    many = [Asking(slow.server, {**HELLO, "stream": True}) for _ in range(5)]
    until(lambda: all(one.comments for one in many), "comments for all")
    slow.let_go()
    assert [one.told().lines[-2] for one in many] == ["data: [DONE]"] * 5
    started = _starts()
    assert len(started) == before + 1
    assert (started[0].who, started[0].detail) == ("Berth", "a program asked for it")


def _starts() -> list[activity.Event]:
    return [one for one in activity.about("sleepy") if one.kind == activity.Kind.STARTED]


def test_a_client_that_leaves_waits_no_longer_and_the_load_goes_on(slow: SlowStart) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{slow.server.url}/v1/chat/completions", json=HELLO, timeout=1.0)
    assert slow.is_loading()
    slow.let_go()
    until(lambda: slow.state() == "running", "the end of the load")
    assert post(slow.server, HELLO).status_code == 200


def test_a_load_that_the_owner_has_begun_is_waited_for_as_it_is(slow: SlowStart) -> None:
    address = f"{slow.server.url}/api/models/sleepy"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        owner = pool.submit(httpx.post, f"{address}/start", json={"context": 512}, timeout=60)
        until(slow.is_loading, "a load")
        program = pool.submit(post, slow.server, HELLO)
        slow.let_go()
        assert (owner.result(60).status_code, program.result(60).status_code) == (200, 200)
    told = httpx.get(f"{slow.server.url}/v1/models/sleepy").json()
    assert told["context_length"] == 512


@contextlib.contextmanager
def settings(slow: SlowStart, text: str) -> Iterator[None]:
    """With these, which are read anew."""
    file = slow.home / "settings.toml"
    file.write_text(text)
    try:
        yield
    finally:
        file.write_text("")


@contextlib.contextmanager
def nothing_free(slow: SlowStart) -> Iterator[None]:
    """Another load is under way that takes all there is; the wheel's engine counts its own."""
    huge = Loading(engine="llamacpp", model="drowsy", bytes=2**60, waits=me())
    note = slow.home / "engines" / "test.loading"
    note.parent.mkdir(exist_ok=True)
    note.write_text(huge.model_dump_json())
    try:
        yield
    finally:
        note.unlink()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowStart]:
    """One that loads at once, with the engine of the wheel."""
    made = SlowStart(tmp_path_factory.mktemp("plain") / "berth")
    for name in ("sleepy", "drowsy"):
        write_tiny(made.home / "models" / f"{name}.gguf")
    write_truncated(made.home / "models" / "broken.gguf")
    with running_server(made.home) as made.server:
        yield made
        for name in ("sleepy", "drowsy"):
            made.stop(name)


def test_what_does_not_fit_is_told_in_the_ledgers_words_and_stops_nobody(plain: SlowStart) -> None:
    with nothing_free(plain), settings(plain, "makes_room_on_demand = true\n"):
        answers = [post(plain.server, {**HELLO, "stream": stream}) for stream in (True, False)]
    for answer in answers:
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "does_not_fit"
        assert "needs about" in answer.json()["error"]["message"]
        assert answer.json()["error"]["fix"]
        assert answer.headers["x-should-retry"] == "false"
    assert plain.state() == "stopped"


def test_a_file_that_is_broken_is_told_and_never_tried(plain: SlowStart) -> None:
    answer = post(plain.server, {**HELLO, "model": "broken"})
    assert answer.status_code == 503
    assert "does not run" in answer.json()["error"]["message"]


def test_where_programs_may_not_start_models_nothing_is_started(slow: SlowStart) -> None:
    with settings(slow, "starts_on_demand = false\n"):
        answer = post(slow.server, HELLO)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_down"
    assert "/api/models/sleepy/start" in answer.json()["error"]["fix"]
    assert slow.state() == "stopped"


def test_outside_its_hours_a_model_is_not_started(slow: SlowStart) -> None:
    rule = slow.home / "rules.json"
    rule.write_text('{"llamacpp/sleepy": {"hours": {"days": []}}}')
    try:
        answer = post(slow.server, HELLO)
    finally:
        rule.unlink()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "outside_hours")
    assert slow.state() == "stopped"


def test_a_load_that_fails_is_told_to_all_that_wait(slow: SlowStart) -> None:
    many = [Asking(slow.server, {**HELLO, "stream": True}) for _ in range(3)]
    until(lambda: all(one.comments for one in many), "comments for all")
    pid = json.loads((slow.home / "engines" / "sleepy.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    for one in many:
        told = one.told()
        assert told.lines[-1] == "broken off"
        assert told.events[-1]["error"]["message"]
        assert told.events[-1]["error"]["fix"]
    again = post(slow.server, HELLO)
    assert again.status_code in (502, 503)


def test_the_answer_of_an_unknown_name_tells_what_there_is(plain: SlowStart) -> None:
    answer = post(plain.server, {**HELLO, "model": "nobody"})
    assert answer.status_code == 404


def test_an_engine_that_is_stopped_in_between_is_started_again(plain: SlowStart) -> None:
    for _ in range(2):
        assert post(plain.server, HELLO).status_code == 200
        plain.stop()
