"""The built-in engine with real children: started, asked, refused, stopped."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.core.errors import CannotRun, Conflict, EngineDown, EngineError
from lib.core.http import get_json
from lib.core.settings import settings
from lib.engines.base import ChatOptions, Message, StartOptions, State
from lib.engines.llamacpp import ENGINE, records
from lib.machine import bandwidth
from tests.support.llamacpp import COUNT, EXACT, SMALL, children, run_elsewhere, shown
from tests.support.replies import text_of
from tests.support.tiny_gguf import CHATML, write_tiny
from tests.support.waiting import eventually

FRANCE = [Message(role="user", content="What is the capital of France?")]


def test_the_starter_model_is_started_asked_and_stopped(starter: str) -> None:
    assert shown(starter).state == State.STOPPED
    ENGINE.start(starter, StartOptions())
    running = shown(starter)
    assert running.state == State.READY
    assert running.context == 8192
    assert running.memory_bytes is not None
    assert running.memory_bytes > 300 * 2**20
    assert running.started_at is not None
    *pieces, last = ENGINE.chat(starter, FRANCE, EXACT)
    assert "Paris" in "".join(piece.text for piece in pieces)
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert last.usage.prompt_tokens > 10
    assert last.usage.tokens_per_second
    ENGINE.stop(starter)
    assert shown(starter).state == State.STOPPED
    assert children() == []


def test_stopping_while_it_loads_is_a_conflict_for_whoever_waits(starter: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(ENGINE.start, starter, SMALL)
        assert eventually(lambda: records.read(starter) is not None)
        assert shown(starter).state == State.STARTING
        ENGINE.stop(starter)
        with pytest.raises(Conflict, match="was stopped while it was loading"):
            start.result(20)
    assert shown(starter).state == State.STOPPED
    assert children() == []


def test_closing_a_reply_frees_the_engine(starter: str) -> None:
    ENGINE.start(starter, SMALL)
    stream = ENGINE.chat(starter, COUNT, EXACT)
    next(stream)
    stream.close()
    assert list(stream) == []
    upstream = ENGINE.upstream(starter)
    assert upstream is not None
    slots, key = upstream.base_url.replace("/v1", "/slots"), upstream.key
    assert key is not None
    header = {"Authorization": f"Bearer {key.get_secret_value()}"}
    assert eventually(lambda: not get_json(slots, header)[0]["is_processing"])


def test_what_the_engine_cannot_load_is_told_and_shown(models: Path) -> None:
    write_tiny(models / "odd.gguf", architecture="gemma2")
    with pytest.raises(EngineError, match="does not match what the engine expects: tensor"):
        ENGINE.start("odd", SMALL)
    failed = shown("odd")
    assert failed.state == State.FAILED
    assert "post_attention_norm" in failed.problem
    assert "post_attention_norm" in Path(failed.log).read_text()
    assert children() == []


def test_what_the_engine_does_not_know_is_told_and_never_started(models: Path) -> None:
    write_tiny(models / "odd.gguf", architecture="zork")
    with pytest.raises(CannotRun, match="does not know models of the kind “zork”"):
        ENGINE.start("odd", SMALL)
    failed = shown("odd")
    assert failed.state == State.FAILED
    assert "zork" in failed.problem
    assert not Path(failed.log).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is not enforced")
def test_memory_that_cannot_be_had_is_told(starter: str) -> None:
    said = run_elsewhere(
        "import resource\n"
        "from lib.core.errors import EngineError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))\n"
        f"try: ENGINE.start('{starter}', StartOptions(context=32768))\n"
        "except EngineError as error: print(error)\n"
    )
    assert "could not be had" in said
    assert "Choose a smaller" in said or "choose a smaller" in said


def test_a_context_beyond_the_training_is_shown_as_it_was_loaded(tiny: str) -> None:
    ENGINE.start(tiny, StartOptions(context=4096))
    assert shown(tiny).context == 1024


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_a_smaller_cache_type_works(tiny: str, kv_type: str) -> None:
    ENGINE.start(tiny, StartOptions.model_validate({"context": 256, "kv_type": kv_type}))
    assert text_of(ENGINE.complete(tiny, "abc", ChatOptions(max_tokens=4)))


def test_a_model_without_chat_template_continues_a_text_but_does_not_chat(models: Path) -> None:
    write_tiny(models / "base.gguf", template=None)
    ENGINE.start("base", SMALL)
    assert shown("base").can_chat is False
    with pytest.raises(EngineError, match="has no chat template"):
        next(ENGINE.chat("base", FRANCE, EXACT))
    assert text_of(ENGINE.complete("base", "abc", ChatOptions(max_tokens=4, temperature=0)))


def test_the_memory_is_known_to_be_as_fast_as_a_model_wrote(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bandwidth, "read_bandwidth", lambda: 1.0)  # as on a very busy machine
    assert bandwidth.of_this_machine() == 1.0
    write_tiny(models / "base.gguf", template=None)
    ENGINE.start("base", SMALL)
    list(ENGINE.complete("base", "abc", ChatOptions(max_tokens=48, temperature=0)))
    assert bandwidth.of_this_machine() > 10**6


def test_a_template_beside_a_model_lets_it_chat(models: Path) -> None:
    write_tiny(models / "base.gguf", template=None)
    assert shown("base").can_chat is False
    (models / "base.jinja").write_text(CHATML, encoding="utf-8")
    assert shown("base").can_chat is True
    ENGINE.start("base", SMALL)
    assert text_of(ENGINE.chat("base", FRANCE, EXACT))


def test_a_template_that_is_none_is_named(models: Path) -> None:
    write_tiny(models / "base.gguf", template=None)
    (models / "base.jinja").write_text("{% for m in %}", encoding="utf-8")
    with pytest.raises(EngineError, match=r"template cannot be read: .+\.jinja at the end"):
        ENGINE.start("base", SMALL)


def test_a_divided_model_is_loaded_and_removed_whole(models: Path) -> None:
    write_tiny(models / "a" / "b" / "c" / "big.gguf", parts=3)
    ENGINE.start("big", SMALL)
    assert shown("big").state == State.READY
    ENGINE.remove("big")
    assert children() == []
    assert list(models.iterdir()) == []
    assert list(settings().engines.glob("big.*")) == []


def test_a_conversation_too_long_is_told_with_the_context_it_has(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    long = [Message(role="user", content="word " * 400)]
    with pytest.raises(EngineError, match=r"has [\d,]+ tokens, .* a context of 512\."):
        next(ENGINE.chat(tiny, long, EXACT))


def test_a_model_that_does_not_run_says_so(tiny: str) -> None:
    with pytest.raises(EngineDown, match="does not run"):
        next(ENGINE.chat(tiny, FRANCE, EXACT))
    with pytest.raises(EngineDown, match="does not run"):
        next(ENGINE.complete(tiny, "a", EXACT))


def test_settings_of_llama_cpp_in_the_environment_change_nothing(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "256")
    monkeypatch.setenv("LLAMA_API_KEY", "another")
    ENGINE.start(tiny, SMALL)
    assert shown(tiny).context == 512
    assert text_of(ENGINE.complete(tiny, "a", ChatOptions(max_tokens=2)))


def test_a_folder_that_cannot_be_used_is_told(tiny: str) -> None:
    settings().engines.write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="cannot be used"):
        ENGINE.start(tiny, SMALL)
    assert shown(tiny).state == State.STOPPED


def test_many_replies_at_once_do_not_mix(tiny: str) -> None:
    ENGINE.start(tiny, StartOptions(context=256, slots=4, threads=1))
    options = ChatOptions(max_tokens=16, temperature=0)
    alone = {text: text_of(ENGINE.complete(tiny, text, options)) for text in ("abc", "xyz", "123")}
    together: dict[str, str] = {}

    def ask(text: str) -> None:
        together[text] = text_of(ENGINE.complete(tiny, text, options))

    threads = [threading.Thread(target=ask, args=(text,)) for text in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert together == alone


def test_the_engine_is_up_and_tells_its_version() -> None:
    health = ENGINE.health()
    assert health.up
    assert any(letter.isdigit() for letter in health.version)


def test_the_dashboard_never_loads_the_machine_code() -> None:
    code = "import sys; ENGINE.health(); ENGINE.models(); print('xllamacpp' in sys.modules)"
    assert run_elsewhere(code).strip() == "False"
