"""deploy_model.sh, run by a real bash on a GPU server in a folder."""

import os
import signal
from pathlib import Path

import pytest

from lib.engines.vllm.places import port, unit_name
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from lib.slots.job import KIND
from tests.support.deployment import last_line
from tests.support.slots import MODEL, PLAIN, SLOT, GpuServer
from tests.support.waiting import until

OTHER = "acme/Other-Instruct"
NEEDS_36 = "ValueError: No available memory for the cache blocks. Try increasing it."
PROFILING = (
    "AssertionError: Error in memory profiling. Initial free memory 10.0 GiB, current free memory "
    "11.0 GiB."
)


def test_a_model_is_deployed_and_answers(server: GpuServer) -> None:
    done = server.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.runs() == "Tiny-Instruct"
    assert last_line(done) == f"Tiny-Instruct is ready at http://127.0.0.1:{port(SLOT)}/v1"
    ended = [(e.phase, e.state) for e in server.events() if e.state != "running"]
    assert ended == [
        ("check", "succeeded"),
        ("unload", "skipped"),
        ("download", "succeeded"),
        ("service", "succeeded"),
        ("gateway", "skipped"),
        ("start", "succeeded"),
        ("test", "succeeded"),
    ]
    assert (server.told.parent / "exit_code.self").read_text() == "0\n"


def test_the_levels_that_were_left_out_are_named(server: GpuServer) -> None:
    done = server.deploy()
    assert "not tested: nginx, which was left out" in done.stdout
    assert "not tested: LiteLLM, which was left out" in done.stdout


def test_what_the_engine_gave_stands_beside_the_estimate_the_next_time(server: GpuServer) -> None:
    assert "vLLM gave 65,536 tokens" in server.deploy().stdout
    assert "Last time vLLM gave 65,536 tokens" in server.deploy().stdout


def test_the_key_is_in_a_file_of_root_alone_and_nowhere_else(server: GpuServer) -> None:
    done = server.deploy()
    file = server.places.env_file(SLOT)
    assert file.stat().st_mode & 0o777 == 0o600
    key = file.read_text().strip().removeprefix("VLLM_API_KEY=")
    assert len(key) >= 32
    assert key not in done.stdout + done.stderr + server.unit() + server.told.read_text()
    assert not any(key in word for call in server.systemd.asked() for word in call)


def test_the_engines_account_gets_to_its_files_whatever_roots_umask_is(server: GpuServer) -> None:
    words = f"{MODEL} {SLOT} --cards {server.card} {' '.join(PLAIN)}"
    done = server.call(f"umask 077; main {words}")
    assert done.returncode == 0, done.stdout + done.stderr
    weights = next(server.places.models.rglob("model.safetensors"))
    for path in (weights, *weights.parents, server.places.settings, server.places.state(SLOT)):
        if path.is_relative_to(server.root / "var/lib/berth") or path.name == "berth":
            assert path.stat().st_mode & 0o044 == 0o044, path


def test_a_second_run_changes_nothing_and_leaves_it_running(server: GpuServer) -> None:
    assert server.deploy().returncode == 0
    before, pid = server.snapshot(), server.systemd.state(unit_name(SLOT))["MainPID"]
    server.hub.requests.clear()
    done = server.deploy()
    assert done.returncode == 0, done.stdout
    assert server.snapshot() == before
    assert server.systemd.state(unit_name(SLOT))["MainPID"] == pid
    assert server.hub.asked_for("/resolve/") == []
    assert "It runs already" in done.stdout


def test_another_context_changes_the_unit_alone(server: GpuServer) -> None:
    assert server.deploy().returncode == 0
    key = server.places.env_file(SLOT).read_text()
    assert server.deploy(MODEL, SLOT, "--max-model-len", "2048").returncode == 0
    assert "--max-model-len 2048" in server.unit()
    assert server.places.env_file(SLOT).read_text() == key


def test_a_dry_run_prints_every_file_and_changes_nothing(server: GpuServer) -> None:
    done = server.deploy(MODEL, SLOT, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert f"would: write {server.places.unit(SLOT)}" in done.stdout
    assert "    | Restart=always" in done.stdout
    assert f"would run: systemctl start {unit_name(SLOT)}" in done.stdout
    assert "VLLM_API_KEY=" not in done.stdout
    assert server.snapshot() == {}
    assert not server.places.models.exists()
    assert not server.places.state(SLOT).exists()


def test_a_second_model_takes_the_slot(server: GpuServer) -> None:
    server.add_model(OTHER)
    assert server.deploy().returncode == 0
    assert server.deploy(OTHER).returncode == 0
    assert server.runs() == "Other-Instruct"
    assert f"Model={OTHER}" in server.unit()


def test_where_the_second_model_fails_the_first_runs_again(server: GpuServer) -> None:
    server.add_model(OTHER, {"refuses": NEEDS_36})
    assert server.deploy().returncode == 0
    before = server.snapshot()
    done = server.deploy(OTHER)
    assert done.returncode == 3, done.stdout
    assert last_line(done).startswith("The model leaves no memory for conversations.")
    assert f"The machine is as it was: {MODEL} runs again on slot {SLOT}." in done.stdout
    assert server.snapshot() == before
    assert server.runs() == "Tiny-Instruct"
    assert server.systemd.state(unit_name(SLOT))["UnitFileState"] == "enabled"


def test_where_the_first_model_fails_nothing_is_left_but_what_was_downloaded(
    server: GpuServer,
) -> None:
    server.add_model(OTHER, {"refuses": NEEDS_36})
    done = server.deploy(OTHER)
    assert done.returncode == 3
    assert server.snapshot() == {}
    assert server.systemd.state(unit_name(SLOT))["UnitFileState"] == "disabled"
    assert "userdel berth" in (server.root.parent / "accounts").read_text()
    assert list(server.places.models.rglob("model.safetensors"))


def test_a_context_that_is_too_long_is_tried_again_with_what_fits(server: GpuServer) -> None:
    server.behave(MODEL, {"context_fits": 512})
    done = server.deploy(MODEL, SLOT, "--max-model-len", "4096")
    assert done.returncode == 0, done.stdout
    assert "A context of 4,096 does not fit beside the model; 512 does." in done.stdout
    assert "--max-model-len 512 " in server.unit()
    assert "Context=512" in server.unit()
    again = server.deploy(MODEL, SLOT, "--max-model-len", "4096")
    assert "It runs already" in again.stdout


def test_it_is_tried_again_only_once(server: GpuServer) -> None:
    text = (
        "ValueError: To serve at least one request with the model's max seq len (4096), (9 GiB KV "
        "cache is needed, the estimated maximum model length is 512. Try it."
    )
    server.behave(MODEL, {"refuses": text})
    done = server.deploy(MODEL, SLOT, "--max-model-len", "4096")
    assert done.returncode == 3
    starts = [call for call in server.systemd.asked() if "start" in call]
    assert len(starts) == 2


def test_memory_that_a_neighbour_gave_back_is_waited_for_once(server: GpuServer) -> None:
    server.behave(MODEL, {"refuses_once": PROFILING})
    done = server.deploy()
    assert done.returncode == 0, done.stdout
    assert "Trying again in 0.10 s." in done.stdout


def test_an_engine_that_is_healthy_and_gives_no_token_is_noticed(server: GpuServer) -> None:
    server.behave(MODEL, {"stuck": True})
    done = server.deploy(BERTH_TOKEN_SECONDS="0.5")
    assert done.returncode == 8
    assert "gives no token" in last_line(done)
    assert server.snapshot() == {}


def test_its_own_word_is_the_cause_where_nothing_else_is_known(server: GpuServer) -> None:
    server.behave(MODEL, {"refuses": "KeyError: 'strange'", "code": 1})
    done = server.deploy()
    assert done.returncode == 7
    assert "KeyError: 'strange'" in last_line(done)


@pytest.mark.parametrize("phase", ["Writing the service", "Starting Other-Instruct"])
def test_after_a_power_cut_the_same_run_completes(server: GpuServer, phase: str) -> None:
    server.add_model(OTHER, {"hangs": True})
    assert server.deploy().returncode == 0
    running = server.start(OTHER, str(SLOT), "--cards", server.card, *PLAIN)
    try:
        running.until(phase)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
    finally:
        running.close()
    assert (server.places.state(SLOT) / "journal.jsonl").exists()
    server.behave(OTHER, {})
    done = server.deploy(OTHER)
    assert done.returncode == 0, done.stdout
    assert "An earlier run was broken off here" in done.stdout
    assert server.runs() == "Other-Instruct"
    assert not (server.places.state(SLOT) / "journal.jsonl").exists()


def test_after_a_power_cut_a_run_that_fails_brings_the_first_model_back(server: GpuServer) -> None:
    server.add_model(OTHER, {"hangs": True})
    assert server.deploy().returncode == 0
    before = server.snapshot()
    running = server.start(OTHER, str(SLOT), "--cards", server.card, *PLAIN)
    try:
        running.until("Starting Other-Instruct")
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
    finally:
        running.close()
    server.behave(OTHER, {"refuses": NEEDS_36})
    assert server.deploy(OTHER).returncode == 3
    assert server.snapshot() == before
    assert server.runs() == "Tiny-Instruct"


def test_cancelled_while_it_starts_the_first_model_comes_back(server: GpuServer) -> None:
    server.add_model(OTHER, {"hangs": True})
    assert server.deploy().returncode == 0
    running = server.start(OTHER, str(SLOT), "--cards", server.card, *PLAIN)
    try:
        running.until("Starting the program")
        assert running.interrupt() == 130
    finally:
        running.close()
    assert running.output.splitlines()[-1].startswith("Cancelled.")
    assert until(lambda: server.runs()) == "Tiny-Instruct"
    assert server.events()[-1].state == "cancelled"


def test_two_runs_on_one_slot_do_not_mix(server: GpuServer) -> None:
    server.behave(MODEL, {"hangs": True})
    running = server.start(MODEL, str(SLOT), "--cards", server.card, *PLAIN)
    try:
        running.until("Starting the program")
        done = server.deploy()
        assert done.returncode == 7
        assert "Another run is under way" in last_line(done)
        assert running.process.poll() is None
        running.interrupt()
    finally:
        running.close()


def test_in_the_background_it_is_a_job(server: GpuServer, monkeypatch: pytest.MonkeyPatch) -> None:
    done = server.deploy(MODEL, SLOT, "--background")
    assert done.returncode == 0, done.stdout
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    [job] = jobs.recent(kind=KIND)
    assert job.title == f"Deploy Tiny-Instruct on slot {SLOT}"
    assert str(job.folder / "log") in last_line(done)
    until(lambda: not jobs.find(job.id).is_active)
    assert jobs.find(job.id).state == JobState.SUCCEEDED, jobs.find(job.id).log_tail()
    assert server.runs() == "Tiny-Instruct"


def test_several_servers_get_a_folder_each_and_nothing_is_started(
    server: GpuServer, tmp_path: Path
) -> None:
    words = [
        *(MODEL, "0", "--nodes", "2", "--addresses", "10.0.0.1,10.0.0.2", "--nic", "eno1"),
        *("--tensor-parallel", "2", "--output", str(tmp_path / "nodes")),
    ]
    told = server.run(*words, "--dry-run")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "    | IPAddressAllow=10.0.0.2" in told.stdout
    assert not (tmp_path / "nodes").exists()
    done = server.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(
        str(p.relative_to(tmp_path / "nodes")) for p in (tmp_path / "nodes").rglob("*.*")
    )
    assert files == [
        "README.txt",
        "node-0/berth-nvidia.service",
        "node-0/berth-slot-0.service",
        "node-1/berth-nvidia.service",
        "node-1/berth-slot-0.service",
    ]
    head = (tmp_path / "nodes/node-0/berth-slot-0.service").read_text()
    second = (tmp_path / "nodes/node-1/berth-slot-0.service").read_text()
    assert "--nnodes 2 --node-rank 0" in head
    assert "--headless" in second
    assert "They restart together or not at all" in done.stdout
    assert server.systemd.asked() == []
    assert server.snapshot() == {}
