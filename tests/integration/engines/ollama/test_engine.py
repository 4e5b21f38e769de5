"""The Ollama engine against a server.

By default that is the fake one. `BERTH_TEST_OLLAMA=127.0.0.1:11434` names a real one instead, for
the tests that need no misbehaviour; it gets a model of its own, which is removed at the end.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import ollama as official
import pytest

from lib.core.errors import (
    BadInput,
    BrokenFile,
    EngineError,
    NetworkError,
    NotFound,
)
from lib.engines.base import ChatOptions, Message, StartOptions, State
from lib.engines.ollama import ENGINE, Ollama
from lib.engines.ollama import api as ollama_api
from lib.engines.ollama.store import Progress
from tests.support.fake_ollama import running_ollama
from tests.support.ollama import ASK, SHORT, asked, ignore, model, told
from tests.support.tiny_gguf import write_empty, write_tiny, write_truncated, write_wrong_magic

REAL = os.environ.get("BERTH_TEST_OLLAMA", "")
NAME = "berth-test:q4"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an Ollama that has the starter model under NAME."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if REAL:
            url, path = REAL, request.getfixturevalue("starter_file")
        else:
            url = stack.enter_context(running_ollama()).url
            path = request.getfixturevalue("tmp_path_factory").mktemp("gguf") / "tiny.gguf"
            write_tiny(path, context=32_768)
        patch.setenv("OLLAMA_HOST", url)
        ENGINE.create_from_file(path, NAME, ignore)
        yield url
        with contextlib.suppress(NotFound):
            ENGINE.remove(NAME)


@pytest.fixture
def engine(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    """The engine, with NAME unloaded before and after the test."""
    monkeypatch.setenv("OLLAMA_HOST", server)
    ENGINE.stop(NAME)
    yield ENGINE
    ENGINE.stop(NAME)


def test_a_model_made_of_a_file_is_listed_with_its_facts(engine: Ollama) -> None:
    assert engine.health().up
    row = model(NAME)
    assert row.state == State.STOPPED
    assert row.can_chat
    assert row.context_trained == 32_768
    assert (row.size_bytes or 0) > 100_000
    assert (row.context, row.memory_bytes, row.url) == (None, None, "")


def test_a_started_model_has_an_address_and_the_context_it_was_given(engine: Ollama) -> None:
    engine.start(NAME, StartOptions(context=2048))
    row = model(NAME)
    assert (row.state, row.context) == (State.READY, 2048)
    assert row.url.endswith("/v1")
    assert (row.memory_bytes or 0) > 100_000


def test_the_context_holds_for_requests_that_cannot_name_one(engine: Ollama) -> None:
    engine.start(NAME, StartOptions(context=3072))
    upstream = engine.upstream(NAME)
    assert upstream is not None
    body = {"model": upstream.model, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{upstream.base_url}/chat/completions"
    answer = httpx.post(url, json={**body, "max_tokens": 2}, timeout=60)
    assert answer.status_code == 200
    assert model(NAME).context == 3072
    expires = httpx.get(f"{ollama_api.address()}/api/ps").json()["models"][0]["expires_at"]
    assert int(expires[:4]) > time.gmtime().tm_year + 100


def test_starting_again_changes_nothing_but_the_context(engine: Ollama) -> None:
    before = model(NAME)
    engine.start(NAME, StartOptions(context=1024))
    engine.start(NAME, StartOptions(context=4096))
    after = model(NAME)
    assert after.context == 4096
    assert (after.quantization, after.can_chat) == (before.quantization, before.can_chat)
    assert len([row for row in engine.models() if row.name == NAME]) == 1


def test_a_chat_streams_and_tells_its_figures(engine: Ollama) -> None:
    text, last = told(engine.chat(NAME, ASK, SHORT))
    assert text == "The capital of France is Paris."
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert last.usage.prompt_tokens > 30
    assert last.usage.completion_tokens == 8
    assert (last.usage.tokens_per_second or 0) > 0
    assert (last.usage.prompt_ms or 0) > 0


def test_a_reply_that_was_cut_by_its_limit_says_so(engine: Ollama) -> None:
    options = ChatOptions(temperature=0, max_tokens=4)
    text, last = told(engine.chat(NAME, asked("Count from 1 to 50."), options))
    assert text
    assert last.finish_reason == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == 4


def test_a_text_is_continued_without_a_template(engine: Ollama) -> None:
    text, _ = told(engine.complete(NAME, "The capital of France is", SHORT))
    assert text.startswith(" Paris")


def test_a_schema_gives_json_of_its_shape(engine: Ollama) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    options = ChatOptions(temperature=0, json_schema=schema)
    question = asked("Give the name and age of Ann, who is 31.")
    text, _ = told(engine.chat(NAME, question, options))
    assert httpx.Response(200, text=text).json() == {"name": "Ann", "age": 31}


@pytest.mark.parametrize("turns", [1, 3])
def test_a_conversation_that_is_too_long_is_refused_with_numbers(
    engine: Ollama, turns: int
) -> None:
    engine.start(NAME, StartOptions(context=512))
    roles = ("user", "assistant", "user")
    long = [Message(role=role, content="word " * 600) for role in roles[:turns]]
    with pytest.raises(EngineError, match=r"has (1,)?[0-9]{3} tokens.* context of 512") as caught:
        told(engine.chat(NAME, long, SHORT))
    assert "larger context" in caught.value.fix
    with pytest.raises(EngineError, match="context of 512"):
        told(engine.complete(NAME, "word " * 1000, SHORT))


def test_an_unknown_model_is_not_found_whatever_is_asked_of_it(engine: Ollama) -> None:
    for ask in (
        lambda: told(engine.chat("no-such:model", ASK, SHORT)),
        lambda: told(engine.complete("no-such:model", "x", SHORT)),
        lambda: engine.start("no-such:model", StartOptions()),
        lambda: engine.start("no-such:model", StartOptions(context=1024)),
        lambda: engine.remove("no-such:model"),
    ):
        with pytest.raises(NotFound, match="no-such:model"):
            ask()
    assert engine.upstream("no-such:model") is None


def test_stopping_unloads_and_stopping_what_does_not_run_is_nothing(engine: Ollama) -> None:
    engine.start(NAME, StartOptions())
    assert engine.upstream(NAME) is not None
    engine.stop(NAME)
    assert model(NAME).state == State.STOPPED
    assert engine.upstream(NAME) is None
    engine.stop(NAME)
    engine.stop("no-such:model")


def test_names_are_compared_as_ollama_compares_them_and_no_further(engine: Ollama) -> None:
    engine.start(NAME.upper(), StartOptions())
    upstream = engine.upstream(NAME.upper())
    assert upstream is not None
    assert upstream.model == NAME
    assert engine.upstream("berth-test:q5") is None
    assert engine.upstream("berth-test") is None
    engine.stop(NAME.upper())
    assert model(NAME).state == State.STOPPED


def test_models_made_of_one_file_run_and_stop_together(engine: Ollama) -> None:
    """Ollama gives them one process, and lists it under the name that was loaded first."""
    twin = "berth-test:twin"
    body = {"model": twin, "from": NAME, "system": "Be brief.", "stream": False}
    httpx.post(f"{ollama_api.address()}/api/create", json=body, timeout=60)
    try:
        engine.start(NAME, StartOptions())
        engine.start(twin, StartOptions())
        assert (model(NAME).state, model(twin).state) == (State.READY, State.READY)
        upstream = engine.upstream(twin)
        assert upstream is not None
        assert upstream.model == twin
        engine.stop(twin)
        assert (model(NAME).state, model(twin).state) == (State.STOPPED, State.STOPPED)
    finally:
        engine.remove(twin)


def test_a_removed_model_leaves_neither_disk_nor_memory_in_use(
    engine: Ollama, tmp_path: Path
) -> None:
    write_tiny(tmp_path / "tiny.gguf")
    engine.create_from_file(tmp_path / "tiny.gguf", "berth-test:tiny", ignore)
    engine.start("berth-test:tiny", StartOptions())
    engine.remove("berth-test:tiny")
    assert "berth-test:tiny" not in {row.name for row in engine.models()}
    with pytest.raises(NotFound):
        engine.remove("berth-test:tiny")


def test_a_model_deleted_by_somebody_else_while_loaded_is_still_seen(
    engine: Ollama, tmp_path: Path
) -> None:
    name = "berth-test:left"
    write_tiny(tmp_path / "tiny.gguf")
    engine.create_from_file(tmp_path / "tiny.gguf", name, ignore)
    load = {"model": name, "keep_alive": 20}
    httpx.post(f"{ollama_api.address()}/api/generate", json=load, timeout=60)
    httpx.request("DELETE", f"{ollama_api.address()}/api/delete", json={"model": name})
    assert model(name).state == State.STOPPING
    assert "deleted while it was loaded" in model(name).problem
    assert engine.upstream(name) is None


def test_a_file_is_read_and_sent_once_and_known_the_next_time(
    engine: Ollama, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny(path)
    size = path.stat().st_size
    heard: list[Progress] = []
    for name in ("berth-test:one", "berth-test:two"):
        engine.create_from_file(path, name, heard.append)
        engine.remove(name)
    done = [p.done_bytes for p in heard]
    assert done[: done.index(2 * size)] == sorted(done[: done.index(2 * size)])
    assert {p.total_bytes for p in heard} == {2 * size}
    assert heard[-1].note == "success"


@pytest.mark.parametrize("write", [write_empty, write_truncated, write_wrong_magic])
def test_a_broken_file_is_refused_and_leaves_no_model(
    engine: Ollama,
    tmp_path: Path,
    write: Callable[[Path], Path],
) -> None:
    path = write(tmp_path / "broken.gguf")
    with pytest.raises(BrokenFile):
        engine.create_from_file(path, "berth-test:broken", ignore)
    assert "berth-test:broken" not in {row.name for row in engine.models()}


def test_what_cannot_be_read_is_a_broken_file(engine: Ollama, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.gguf"):
        with pytest.raises(BrokenFile, match="cannot be read"):
            engine.create_from_file(path, "berth-test:x", ignore)


@pytest.mark.parametrize("name", ["", "../x", "a;b", "x" * 10_000, "a\x00b", "\u202ea"])
def test_a_bad_name_is_refused_before_anything_is_sent(
    engine: Ollama, name: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput):
        engine.create_from_file(tmp_path / "never-read.gguf", name, ignore)


def test_a_registry_that_cannot_be_reached_is_named_as_the_cause(engine: Ollama) -> None:
    """The fake one knows no such model, and a real one may have a network that works."""
    with pytest.raises((NotFound, NetworkError)):
        engine.pull("berth-test-no-such-model:q0", ignore)


def test_the_official_client_understands_every_answer(engine: Ollama) -> None:
    """Where it does not, the fake server is wrong."""
    with official.Client(host=ollama_api.address()) as client:
        assert NAME in {row.model for row in client.list().models}
        assert (client.show(NAME).modelinfo or {})["general.architecture"]
        assert client.generate(NAME, keep_alive=-1).done_reason == "load"
        assert NAME in {row.model for row in client.ps().models}
        messages = [{"role": "user", "content": ASK[0].content}]
        *pieces, last = client.chat(NAME, messages, stream=True, options={"temperature": 0})
        assert "".join(piece.message.content or "" for piece in pieces) == (
            "The capital of France is Paris."
        )
        assert last.done_reason == "stop"
        assert (last.eval_count, last.eval_duration or 0) > (1, 0)
        client.copy(NAME, "berth-test:copy")
        assert client.delete("berth-test:copy").status == "success"
        with pytest.raises(official.ResponseError, match="not found"):
            client.delete("berth-test:copy")
        with pytest.raises(official.ResponseError, match="embeddings"):
            client.embed(NAME, "hi")


def test_closing_a_reply_ends_the_work_at_once(engine: Ollama) -> None:
    stream = engine.chat(NAME, asked("Count from 1 to 50."), ChatOptions(max_tokens=2_000))
    assert next(stream).text
    stream.close()
    assert list(stream) == []
    engine.stop(NAME)  # would be a Conflict if it were still answering
    assert model(NAME).state == State.STOPPED
