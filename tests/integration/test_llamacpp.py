"""The built-in engine with real children: started, asked, killed, found again, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lib.engines import keeper, llamacpp, llamacpp_files, llamacpp_program, process
from lib.engines import llamacpp_records as records
from lib.engines.base import ChatOptions, Delta, DeltaStream, Message, Model, StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp_records import Record, file_of
from lib.errors import Conflict, EngineDown, EngineError
from lib.http import Refused, get_json
from lib.settings import ROOT, settings
from tests.support.fake_engine import running_fake
from tests.support.tiny_gguf import write_tiny

FRANCE = [Message(role="user", content="What is the capital of France?")]
COUNT = [Message(role="user", content="Count from one to five hundred, one number a line.")]
EXACT = ChatOptions(temperature=0)
SMALL = StartOptions(context=512, threads=1)


@pytest.fixture
def models(home: Path) -> Iterator[Path]:
    """The folder of the models; every child that a test leaves is ended."""
    folder = home / "models"
    folder.mkdir(parents=True)
    yield folder
    for record in records.read_all():
        ENGINE.stop(record.model)


@pytest.fixture
def starter(models: Path, starter_file: Path) -> str:
    """The real starter model, as a link, so that nothing can harm the shared file."""
    (models / "starter.gguf").symlink_to(starter_file)
    return "starter"


@pytest.fixture
def tiny(models: Path) -> str:
    write_tiny(models / "tiny.gguf")
    return "tiny"


def shown(name: str) -> Model:
    return next(model for model in ENGINE.models() if model.name == name)


def child_of(name: str) -> Record:
    record = records.read(name)
    assert record is not None
    return record


def text_of(stream: DeltaStream) -> str:
    return "".join(delta.text for delta in stream)


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    give_up_at = time.monotonic() + seconds
    while not is_so() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return is_so()


def children() -> list[int]:
    """Every running child of this test's BERTH_HOME, by its command line."""
    home = str(settings().home)
    found = []
    for each in psutil.process_iter(["cmdline"]):
        line = each.info["cmdline"] or []
        if any(home in part for part in line) and keeper.__file__ not in line:
            found.append(each.pid)
    return found


def run_elsewhere(code: str) -> str:
    """What this code prints in a process of its own, which then ends."""
    imports = "from lib.engines.llamacpp import ENGINE\nfrom lib.engines.base import *\n"
    done = subprocess.run(
        [sys.executable, "-c", imports + code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    return done.stdout


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


def test_a_child_killed_in_mid_reply_is_told_and_shown_as_failed(starter: str) -> None:
    ENGINE.start(starter, SMALL)
    stream = ENGINE.chat(starter, COUNT, EXACT)
    said: list[Delta] = [next(stream)]
    os.kill(child_of(starter).pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended in the middle of its reply"):
        said.extend(stream)
    assert said[0].text
    assert eventually(lambda: shown(starter).state == State.FAILED)
    failed = shown(starter)
    assert "signal 9" in failed.problem
    assert (failed.url, failed.memory_bytes, failed.context) == ("", None, None)
    assert Path(failed.log).is_file()
    assert ENGINE.upstream(starter) is None
    ENGINE.start(starter, SMALL)
    assert shown(starter).state == State.READY
    assert shown(starter).problem == ""


def test_stopping_a_failed_model_forgets_the_failure(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    os.kill(child_of(tiny).pid, signal.SIGKILL)
    assert eventually(lambda: shown(tiny).state == State.FAILED)
    ENGINE.stop(tiny)
    assert shown(tiny).state == State.STOPPED


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


def test_a_model_is_found_used_and_stopped_by_another_process(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    pid = child_of(tiny).pid
    found = run_elsewhere(
        "[m] = ENGINE.models(); print(m.name, m.state, m.context)\n"
        f"print(len([*ENGINE.complete('{tiny}', 'a', ChatOptions(max_tokens=3))]) > 0)\n"
        f"ENGINE.start('{tiny}', StartOptions(context=512, threads=1))\n"
    )
    assert found.split() == ["tiny", "Ready", "512", "True"]
    assert child_of(tiny).pid == pid
    run_elsewhere(f"ENGINE.stop('{tiny}')")
    assert shown(tiny).state == State.STOPPED
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_child_outlives_the_whole_group_of_its_starter(tiny: str) -> None:
    code = (
        "import os, signal\n"
        "from lib.engines.llamacpp import ENGINE\n"
        "from lib.engines.base import StartOptions\n"
        f"ENGINE.start('{tiny}', StartOptions(context=512, threads=1))\n"
        "os.killpg(0, signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    assert done.returncode == -signal.SIGKILL
    assert shown(tiny).state == State.READY
    os.kill(child_of(tiny).pid, signal.SIGKILL)
    assert eventually(lambda: "signal 9" in shown(tiny).problem)


def test_starts_at_the_same_time_give_one_child(tiny: str) -> None:
    code = f"ENGINE.start('{tiny}', StartOptions(context=512, threads=1))"
    with ThreadPoolExecutor(5) as pool:
        here = [pool.submit(ENGINE.start, tiny, SMALL) for _ in range(3)]
        elsewhere = [pool.submit(run_elsewhere, code) for _ in range(2)]
        for start in here:
            start.result(60)
        for printed in elsewhere:
            printed.result(60)
    assert children() == [child_of(tiny).pid]


def test_starting_again_keeps_the_child_and_other_options_replace_it(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    first = child_of(tiny)
    ENGINE.start(tiny, SMALL)
    assert child_of(tiny) == first
    ENGINE.start(tiny, StartOptions(context=256, slots=2, threads=1))
    assert child_of(tiny).pid != first.pid
    assert shown(tiny).context == 256
    assert children() == [child_of(tiny).pid]


def test_what_the_engine_cannot_load_is_told_and_shown(models: Path) -> None:
    write_tiny(models / "odd.gguf", architecture="zork")
    with pytest.raises(EngineError, match="does not know the architecture “zork”"):
        ENGINE.start("odd", SMALL)
    failed = shown("odd")
    assert failed.state == State.FAILED
    assert "zork" in failed.problem
    assert "unknown model architecture" in Path(failed.log).read_text()
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is not enforced")
def test_memory_that_cannot_be_had_is_told(starter: str) -> None:
    said = run_elsewhere(
        "import resource\n"
        "from lib.errors import EngineError\n"
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


def test_the_engine_asks_for_its_key_and_listens_on_loopback_alone(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    upstream, child = ENGINE.upstream(tiny), child_of(tiny)
    assert upstream is not None
    with pytest.raises(Refused) as refused:
        get_json(f"{child.url}/props")
    assert refused.value.http_status == 401
    listening = [c for c in psutil.Process(child.pid).net_connections() if c.status == "LISTEN"]
    assert {connection.laddr[:2] for connection in listening} == {("127.0.0.1", child.port)}


def test_the_key_is_in_a_private_file_and_nowhere_else(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    key = file_of(tiny, "key").read_text().strip()
    assert len(key) >= 40
    engine = psutil.Process(child_of(tiny).pid)
    keeper = engine.parent()
    assert keeper is not None
    for each in (engine, keeper):
        assert key not in " ".join(each.cmdline())
        assert key not in json.dumps(each.environ())
    for file in settings().engines.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
        assert file.suffix == ".key" or key not in file.read_text()


def test_the_next_child_has_another_key(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    first = records.key(tiny)
    ENGINE.stop(tiny)
    assert records.key(tiny) is None
    ENGINE.start(tiny, SMALL)
    assert records.key(tiny) != first


def test_a_record_whose_number_belongs_to_another_process_is_cleaned_up(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    old = child_of(tiny)
    ENGINE.stop(tiny)
    records.save(old.model_copy(update={"pid": os.getpid()}))
    assert shown(tiny).state == State.STOPPED
    assert records.read(tiny) is None
    records.save(old.model_copy(update={"pid": os.getpid()}))
    ENGINE.stop(tiny)  # and this process lives on


@pytest.mark.parametrize("damage", ["", "{", "null", '{"pid": "x"}', "[]"])
def test_a_damaged_record_is_no_record(tiny: str, damage: str) -> None:
    settings().engines.mkdir(parents=True)
    file_of(tiny, "json").write_text(damage)
    assert shown(tiny).state == State.STOPPED
    ENGINE.stop(tiny)
    ENGINE.start(tiny, SMALL)
    assert shown(tiny).state == State.READY


def test_a_model_whose_file_vanished_can_still_be_seen_and_stopped(tiny: str, models: Path) -> None:
    ENGINE.start(tiny, SMALL)
    (models / "tiny.gguf").unlink()
    assert shown(tiny).state == State.READY
    ENGINE.stop(tiny)
    assert ENGINE.models() == []


def test_another_port_is_tried_where_one_is_taken(tiny: str) -> None:
    file = llamacpp_files.find(tiny)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        free = process.free_port()
        llamacpp._start_with(llamacpp_program.checked(), file, SMALL, [taken, free])
        assert child_of(tiny).port == free
        ENGINE.stop(tiny)
        with pytest.raises(EngineError, match="took the engine's port"):
            llamacpp._start_with(llamacpp_program.checked(), file, SMALL, [taken])


def test_a_stranger_on_the_port_is_not_taken_for_the_child(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    child = child_of(tiny)
    with running_fake("--model", "another") as stranger:
        port = int(stranger.url.rpartition(":")[2])
        records.save(child.model_copy(update={"port": port, "context": None}))
        assert shown(tiny).state == State.STARTING
        assert ENGINE.upstream(tiny) is None


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
