"""A model that does not run is started when a program names it."""

import concurrent.futures
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from lib.core import activity
from lib.engines.room import Loading
from lib.processes.background import me
from tests.support.gateway import post
from tests.support.server import Server
from tests.support.slow_start import HELLO, Asking, SlowStart, slow_start
from tests.support.tiny_gguf import write_truncated
from tests.support.waiting import until

QUESTION = {"role": "user", "content": "Hello"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowStart]:
    with slow_start(tmp_path_factory.mktemp("slow")) as made:
        write_truncated(made.home / "models" / "broken.gguf")
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


def test_what_does_not_fit_is_told_to_everybody_in_the_ledgers_words(slow: SlowStart) -> None:
    huge = Loading(engine="llamacpp", model="drowsy", bytes=2**60, waits=me())
    note = slow.home / "engines" / "test.loading"
    note.write_text(huge.model_dump_json())
    own = slow.home / "settings.toml"
    own.write_text('llama_server = "off"\n')
    try:
        answers = [
            post(slow.server, {**HELLO, "model": "sleepy", "stream": stream})
            for stream in (True, False)
        ]
    finally:
        note.unlink()
    for answer in answers:
        assert answer.status_code == 507
        assert "needs about" in answer.json()["error"]["message"]
        assert answer.json()["error"]["code"] == "does_not_fit"
        assert answer.headers["x-should-retry"] == "false"
    assert slow.state() == "stopped"
