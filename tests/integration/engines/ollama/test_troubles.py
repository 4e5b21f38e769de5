"""The Ollama engine against servers that are odd, old, stuck, down, or break off."""

import contextlib
import os
import re
import signal
import socket
import threading

import pytest

from lib.core import patience
from lib.core.errors import (
    BadInput,
    Conflict,
    EngineDown,
    EngineError,
)
from lib.engines.base import ChatOptions, StartOptions, State
from lib.engines.ollama import ENGINE, questions
from lib.engines.ollama import api as ollama_api
from lib.engines.ollama.questions import Questions
from tests.support.fake_ollama.registry import STARTER
from tests.support.hung import hung_server
from tests.support.ollama import ASK, SHORT, faking, ignore, model, told
from tests.support.waiting import until

NAME = "berth-test:q4"


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port may be used again: nothing is known about the server that had it before."""
    monkeypatch.setattr(ollama_api, "QUESTIONS", Questions())
    monkeypatch.setattr(ENGINE, "_facts", {})


def test_a_reply_is_closed_from_another_thread_before_its_first_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch, "--models", STARTER, "--prefill-ms", "60000") as fake:
        stream = ENGINE.chat(STARTER, ASK, SHORT)
        closer = threading.Timer(0.5, stream.close)
        closer.start()
        assert list(stream) == []
        closer.join()
        assert fake.last_call("left")["path"] == "/api/chat"


def test_thinking_comes_as_reasoning(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", "thinker:latest", "--thinking", "2", "--text", "a b c d"):
        pieces = list(ENGINE.chat("thinker:latest", ASK, SHORT))
    assert "".join(piece.reasoning for piece in pieces) == "a b "
    assert "".join(piece.text for piece in pieces) == "c d "


def test_only_what_was_chosen_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        told(ENGINE.chat(STARTER, ASK, ChatOptions()))
        told(ENGINE.chat(STARTER, ASK, ChatOptions(top_p=0.5, seed=7, stop=("x",), max_tokens=3)))
        plain, chosen = fake.bodies("/api/chat")
    assert plain["options"] == {}
    assert plain["messages"] == [{"role": "user", "content": ASK[0].content}]
    assert chosen["options"] == {"top_p": 0.5, "seed": 7, "stop": ["x"], "num_predict": 3}
    assert plain["truncate"] is False


@pytest.mark.parametrize("option", ["--die-after", "--cut-after"])
def test_a_reply_that_breaks_off_is_an_error_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    with faking(monkeypatch, "--models", STARTER, option, "3") as fake:
        stream = ENGINE.chat(STARTER, ASK, SHORT)
        assert [next(stream).text for _ in range(3)] == ["The", " capital", " of"]
        with pytest.raises(EngineError, match="in the middle of its reply"):
            next(stream)
        fake.behave(**{option[2:].replace("-", "_"): -1})
        assert told(ENGINE.chat(STARTER, ASK, SHORT))[0].endswith("Paris.")


def test_a_server_that_is_killed_in_mid_reply_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER, "--gap-ms", "50") as fake:
        stream = ENGINE.chat(STARTER, ASK, SHORT)
        assert next(stream).text
        fake.process.kill()
        with pytest.raises(EngineError, match="in the middle of its reply"):
            list(stream)


def test_a_model_that_still_answers_is_not_said_to_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lib.engines.ollama.engine.UNLOAD_SECONDS", 0.5)
    with faking(monkeypatch, "--models", STARTER, "--gap-ms", "60000"):
        with contextlib.closing(ENGINE.chat(STARTER, ASK, SHORT)) as stream:
            next(stream)
            with pytest.raises(Conflict, match="still answering"):
                ENGINE.stop(STARTER)
        monkeypatch.setattr("lib.engines.ollama.engine.UNLOAD_SECONDS", 5.0)
        ENGINE.stop(STARTER)
        assert model(STARTER).state == State.STOPPED


def test_a_model_of_another_size_is_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", "llama3.2:1b,llama3.2:3b"):
        ENGINE.start("llama3.2:3b", StartOptions())
        states = {row.name: row.state for row in ENGINE.models()}
        assert states == {"llama3.2:1b": State.STOPPED, "llama3.2:3b": State.READY}
        assert ENGINE.upstream("llama3.2:1b") is None


def test_settings_are_written_into_a_model_once_and_only_where_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        ENGINE.start(STARTER, StartOptions())
        assert fake.bodies("/api/create") == []
        for _ in range(2):
            ENGINE.start(STARTER, StartOptions(context=2048, threads=3))
        [written] = fake.bodies("/api/create")
        assert written["parameters"] == {"num_ctx": 2048, "num_thread": 3}
        assert (written["model"], written["from"]) == (STARTER, STARTER)
        ENGINE.start(STARTER, StartOptions(context=4096, threads=3))
        assert fake.bodies("/api/create")[-1]["parameters"] == {"num_ctx": 4096}


def test_what_a_model_is_made_for_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", f"{STARTER},base:latest,embedder:latest") as fake:
        can_chat = {row.name: row.can_chat for row in ENGINE.models()}
        assert can_chat == {STARTER: True, "base:latest": False, "embedder:latest": False}
        ENGINE.start("embedder:latest", StartOptions())
        assert model("embedder:latest").state == State.READY
        assert len(fake.bodies("/api/show")) == 4, "details are asked once for each model"
        assert model(STARTER).source == "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"


def test_where_nothing_listens_there_are_no_models_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{taken.getsockname()[1]}")
        health = ENGINE.health()
        assert not health.up
        assert "does not run" in health.problem
        assert "ollama serve" in health.fix
        assert ENGINE.models() == []
        assert ENGINE.upstream(NAME) is None
        for ask in (
            lambda: ENGINE.start(NAME, StartOptions()),
            lambda: ENGINE.stop(NAME),
            lambda: ENGINE.remove(NAME),
            lambda: ENGINE.pull("llama3.2", ignore),
            lambda: told(ENGINE.chat(NAME, ASK, SHORT)),
        ):
            with pytest.raises(EngineDown):
                ask()


def test_a_version_with_the_memory_leak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER, "--version", "0.17.0"):
        health = ENGINE.health()
        assert not health.up
        assert health.version == "0.17.0"
        assert "CVE-2026-7482" in health.problem
        assert ENGINE.models() == []
        assert ENGINE.upstream(STARTER) is None
        with pytest.raises(EngineDown, match=r"0\.17\.0 is not used"):
            ENGINE.start(STARTER, StartOptions())
        with pytest.raises(EngineDown):
            ENGINE.pull("llama3.2:1b", ignore)


@pytest.mark.parametrize("route", ["/api/version", "/api/tags", "/api/ps", "/api/show"])
def test_a_stuck_server_makes_a_page_wait_once(monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    monkeypatch.setattr(questions, "SILENT_SECONDS", 600.0)
    with faking(monkeypatch, "--models", STARTER, "--stuck", route) as fake:
        for _ in range(20):
            ENGINE.models()
            ENGINE.health()
            ENGINE.upstream(STARTER)
        assert [call["path"] for call in fake.record()] == [route]


def test_details_that_do_not_come_leave_the_model_in_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch, "--models", STARTER, "--stuck", "/api/show"):
        assert model(STARTER).context_trained == 32_768


def test_a_server_that_answers_again_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_api, "QUESTION_SECONDS", 0.1)
    with faking(monkeypatch, "--models", STARTER, "--stuck", "/api") as fake:
        assert "does not answer" in ENGINE.health().problem
        fake.behave(stuck="")
        assert until(lambda: ENGINE.health().up)
        assert model(STARTER).name == STARTER


def test_a_hung_server_is_told_with_what_was_known_and_how_old_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        ENGINE.start(STARTER, StartOptions())
        assert (model(STARTER).state, model(STARTER).note) == (State.READY, "")
        monkeypatch.setattr(questions, "HICCUP_SECONDS", 0.0)
        os.kill(fake.process.pid, signal.SIGSTOP)
        try:
            health, row = ENGINE.health(), model(STARTER)
        finally:
            os.kill(fake.process.pid, signal.SIGCONT)
    assert not health.up and not health.version
    assert re.search(r"does not answer\. .* was so .+ ago", health.problem)
    assert row.state == State.READY
    assert re.fullmatch(r"Ollama does not answer\. It was so .+ ago\.", row.note)


def test_a_command_is_refused_by_a_hung_server_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "COMMAND_SECONDS", 0.5)
    with hung_server() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        with pytest.raises(EngineError, match="does not answer"):
            ENGINE.start(NAME, StartOptions())
        with pytest.raises(EngineError, match="does not answer"):
            ENGINE.stop(NAME)
        with pytest.raises(EngineError, match="does not answer"):
            ENGINE.pull("llama3.2", ignore)


ODD = {
    "nothing": "null",
    "a number": "7",
    "a list": "[]",
    "a page": "<html>",
    "no list": '{"version":"0.24.1","models":null}',
    "odd rows": '{"version":"0.24.1","models":[7,null,{},{"name":7},{"name":"x","size":"y"}]}',
    "deep": '{"version":"0.24.1","models":' + "[" * 5_000 + "]" * 5_000 + "}",
    "refused names": '{"version":"0.24.1","models":[{"name":"_x:1"},{"name":"a b"},{"name":""},'
    '{"name":"\\u202ex"},{"name":"../x"},{"name":"' + "x" * 300 + '"}]}',
    "somebody else's": '{"version":"0.24.1","models":[{"name":"big:cloud","remote_host":"https://x"}]}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_odd_answers_never_break_the_list(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    with faking(monkeypatch, "--odd", body):
        assert ENGINE.models() == []
        assert isinstance(ENGINE.health().up, bool)
        assert ENGINE.upstream("x") is None


def test_good_rows_survive_among_odd_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    body = '{"version":"0.24.1","models":[{"name":"_odd:1"},{"name":"good:1"},7]}'
    with faking(monkeypatch, "--odd", body):
        assert [row.name for row in ENGINE.models()] == ["good:1"]


def test_a_nonsense_address_is_a_health_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "user:secret@box")
    health = ENGINE.health()
    assert not health.up
    assert "OLLAMA_HOST is not an address" in health.problem
    assert "secret" not in str(health)
    assert ENGINE.models() == []
    assert ENGINE.upstream("x") is None
    with pytest.raises(BadInput):
        told(ENGINE.chat("x", ASK, SHORT))
