"""The built-in engine's children: killed, found again, told from strangers, closed to others."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lib.core.errors import EngineError, NoSpace
from lib.core.http import Refused, get_json, request_json
from lib.core.settings import ROOT, settings
from lib.engines.base import Delta, StartOptions, State
from lib.engines.llamacpp import ENGINE, props, records, strays
from lib.engines.llamacpp import engine as llamacpp
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import program as llamacpp_program
from lib.engines.llamacpp.records import file_of
from lib.engines.openai_api import authorization
from lib.processes import background as process
from tests.support.fake_engine import running_fake
from tests.support.llamacpp import COUNT, EXACT, SMALL, child_of, children, run_elsewhere, shown
from tests.support.waiting import eventually


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


def test_a_refused_request_is_not_what_the_child_died_of(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    child = child_of(tiny)
    body = {"prompt": "x", "grammar": "root ::= (\nRuntimeError: std::bad_alloc GGML_ASSERT"}
    with pytest.raises(Refused, match="400"):
        request_json("POST", f"{child.url}/completion", body, authorization(records.key(tiny)))
    assert "failed to parse grammar" in file_of(tiny, "log").read_text()
    os.kill(child.pid, signal.SIGSEGV)
    assert eventually(lambda: shown(tiny).state == State.FAILED)
    assert shown(tiny).problem.startswith("The engine ended (signal 11).")


def test_stopping_a_failed_model_forgets_the_failure(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    os.kill(child_of(tiny).pid, signal.SIGKILL)
    assert eventually(lambda: shown(tiny).state == State.FAILED)
    ENGINE.stop(tiny)
    assert shown(tiny).state == State.STOPPED


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


@pytest.mark.parametrize("step", [3, -3_600])
@pytest.mark.parametrize("is_of_before", [False, True], ids=["now", "before"])
def test_a_step_of_the_clock_loses_no_child(tiny: str, step: int, is_of_before: bool) -> None:
    ENGINE.start(tiny, SMALL)
    child = child_of(tiny)
    told = {"created_at": child.created_at + step} | ({"birth": ""} if is_of_before else {})
    records.save(child.model_copy(update=told))
    assert shown(tiny).state == State.READY
    ENGINE.start(tiny, SMALL)
    assert children() == [child.pid]
    ENGINE.stop(tiny)
    assert children() == []


def test_who_dies_between_the_start_and_the_record_leaves_no_orphan(tiny: str) -> None:
    code = (
        "import os, signal\n"
        "from lib.engines.llamacpp import engine\n"
        "begin = engine.process.start\n"
        "def start(*a, **k):\n"
        "    begin(*a, **k)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "engine.process.start = start\n"
        f"engine.ENGINE.start('{tiny}', engine.StartOptions(context=512, threads=1))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    [pid] = children()
    assert child_of(tiny).pid == pid
    assert eventually(lambda: shown(tiny).state == State.READY)
    ENGINE.start(tiny, SMALL)
    assert children() == [pid]
    ENGINE.stop(tiny)
    assert children() == []


def test_an_intention_of_which_nothing_became_is_forgotten(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    old = child_of(tiny)
    ENGINE.stop(tiny)
    records.save(old.model_copy(update=records.NO_CHILD.model_dump()))
    with records.lock(tiny):
        assert shown(tiny).state == State.STARTING
    assert shown(tiny).state == State.STOPPED
    assert records.read(tiny) is None


def test_a_full_disk_ends_no_child_that_runs(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    pid = child_of(tiny).pid
    (settings().engines / ".space").symlink_to("/dev/full")
    with pytest.raises(NoSpace, match="cannot be written"):
        ENGINE.start(tiny, StartOptions(context=1024, threads=1))
    assert shown(tiny).state == State.READY
    assert children() == [pid]
    ENGINE.start(tiny, StartOptions(context=1024, threads=1))
    assert child_of(tiny).pid != pid


def test_a_child_that_hangs_while_it_loads_holds_nobody_up(tiny: str) -> None:
    ENGINE.start(tiny, SMALL)
    child = child_of(tiny)
    records.save(child.model_copy(update={"context": None}))
    os.kill(child.pid, signal.SIGSTOP)
    try:
        assert shown(tiny).state == State.STARTING
        asked = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(props, "request_json", lambda *_, **__: asked.append(1))
            for _ in range(20):
                assert shown(tiny).state == State.STARTING
        assert asked == []  # what was silent just now is not asked again
    finally:
        os.kill(child.pid, signal.SIGCONT)
    assert eventually(lambda: shown(tiny).state == State.READY)


def test_a_child_without_a_record_is_taken_in_again(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays, "LOOK_SECONDS", 0.0)
    ENGINE.start(tiny, SMALL)
    pid = child_of(tiny).pid
    file_of(tiny, "json").unlink()
    found = shown(tiny)
    assert "did not know it" in found.note
    assert eventually(lambda: shown(tiny).state == State.READY)
    assert child_of(tiny).options == SMALL.model_copy(update={"threads": 1})
    ENGINE.stop(tiny)
    assert children() == []
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_of_one_that_cannot_be_asked_it_is_said_how_to_end_it(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays, "LOOK_SECONDS", 0.0)
    ENGINE.start(tiny, SMALL)
    child = child_of(tiny)
    for ending in ("json", "options"):
        file_of(tiny, ending).unlink()
    assert shown(tiny).state == State.STOPPED
    assert f"kill {child.pid}" in ENGINE.health().note
    os.kill(child.pid, signal.SIGKILL)
    assert eventually(lambda: not process.is_alive(child))
    assert shown(tiny).state == State.STOPPED
    assert "kill" not in ENGINE.health().note


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
