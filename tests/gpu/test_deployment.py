"""deploy_model.sh on a server that is real but for its card: from an empty slot to an empty one.

The tests follow each other: each finds what the one before it has left.
"""

import json
import os
import signal
import time
from collections.abc import Mapping

import pytest

from tests.support.deployment import last_line
from tests.support.slot_box import SlotBox
from tests.support.tiny_hub import BROKEN, FIRST, SECOND
from tests.support.waiting import eventually

UNIT = "berth-slot-0.service"
FOLDERS = ("/etc", "/opt/berth", "/var/lib/berth", "/var/cache/berth")
STARTED_SECONDS = 300.0
BEFORE: dict[str, str] = {}  # what lay there before the first deployment


def engine_pids(server: SlotBox) -> list[int]:
    """The process of vLLM that computes, as the box numbers it."""
    found = server.box.run("pgrep", "-f", "VLLM::EngineCore").stdout.split()
    return [int(pid) for pid in found]


def key(server: SlotBox, file: str) -> str:
    line = server.box.path(f"/etc/berth/{file}").read_text()
    return next(row.partition("=")[2] for row in line.splitlines() if "_KEY=" in row)


def ask(server: SlotBox, url: str, secret: str, model: str, *more: str) -> str:
    """A question over HTTP; what came back."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    return server.curl(
        *more,
        *("-H", f"Authorization: Bearer {secret}", "-H", "Content-Type: application/json"),
        *("-d", json.dumps({**body, "stream": True}), f"{url}/chat/completions"),
    ).stdout


def answers(server: SlotBox, model: str) -> bool:
    """Does the slot's engine answer under this name?"""
    return '"finish_reason"' in ask(
        server, "http://127.0.0.1:8104/v1", key(server, "slot-0.env"), model
    )


def journal(server: SlotBox) -> str:
    """The last that systemd and the engine said of the slot."""
    return server.box.run("journalctl", "-u", UNIT, "-n", "50", "--no-pager").stdout.lower()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted({k for k, v in before.items() if after.get(k) != v} | set(after) - set(before))


def test_an_empty_server_gets_four_green_levels(server: SlotBox) -> None:
    BEFORE.update(server.files(*FOLDERS))
    done = server.deploy(FIRST)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if "passed: " in line] != []
    assert done.stdout.count("  passed: ") == 5
    assert "not tested" not in done.stdout
    assert last_line(done) == "Tiny-First is ready at http://127.0.0.1:8100/v1"


def test_a_streamed_answer_comes_through_nginx_and_litellm(server: SlotBox) -> None:
    said = ask(server, "http://127.0.0.1:8100/v1", key(server, "litellm.env"), "Tiny-First")
    assert said.count("data: {") >= 5
    assert said.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("route", ["/invocations", "/tokenize", "/metrics", "/docs", "/load"])
def test_what_the_engine_leaves_open_is_closed_by_nginx(server: SlotBox, route: str) -> None:
    for base in ("http://127.0.0.1:8100", "http://127.0.0.1:8100/slot-0"):
        status = server.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "{}", base + route)
        assert status.stdout == "404"


def test_systemd_has_nothing_to_say_of_the_service(server: SlotBox) -> None:
    done = server.box.run("systemd-analyze", "--man=no", "verify", f"/etc/systemd/system/{UNIT}")
    assert (done.returncode, done.stderr) == (0, "")
    said = server.box.run("systemd-analyze", "--no-pager", "security", UNIT).stdout
    exposure = float(said.rpartition("exposure level for")[2].split(":")[1].split()[0])
    print(f"exposure {exposure}")
    assert exposure < 3.0


def test_the_device_files_were_made_before_the_engine_started(server: SlotBox) -> None:
    assert server.box.path("/run/modprobed").read_text().splitlines()[0] == "-c0 -u"
    told = server.box.run("systemctl", "show", UNIT, "--property=After").stdout
    assert "berth-nvidia.service" in told


def test_no_secret_can_be_read_by_everybody(server: SlotBox) -> None:
    secret = key(server, "slot-0.env")
    for command in (
        ("systemctl", "show", UNIT),
        ("systemctl", "cat", UNIT),
        ("ps", "axww"),
        ("journalctl", "--no-pager"),
    ):
        assert secret not in server.box.run(*command).stdout
    assert server.box.run("stat", "-c", "%a %U", "/etc/berth/slot-0.env").stdout == "600 root\n"


def test_the_same_again_changes_nothing(server: SlotBox) -> None:
    before, pids = server.files("/etc", "/opt/berth"), engine_pids(server)
    done = server.deploy(FIRST)
    assert done.returncode == 0, done.stdout
    assert "It runs already, and nothing differs." in done.stdout
    assert changed(before, server.files("/etc", "/opt/berth")) == []
    assert engine_pids(server) == pids


def test_an_engine_that_is_killed_comes_back_by_itself(server: SlotBox) -> None:
    before = engine_pids(server)
    server.box.run("kill", "-9", *map(str, before))
    assert eventually(
        lambda: engine_pids(server) not in ([], before) and answers(server, "Tiny-First"),
        STARTED_SECONDS,
    )
    told = server.box.run("systemctl", "show", UNIT, "--property=NRestarts").stdout
    assert told.strip() == "NRestarts=1"


def test_an_engine_that_is_healthy_and_stands_still_is_noticed(server: SlotBox) -> None:
    pids = [str(pid) for pid in engine_pids(server)]
    server.box.run("kill", "-STOP", *pids)
    try:
        health = server.curl(
            "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8104/health"
        )
        assert health.stdout == "200"
        done = server.deploy(FIRST, 0, BERTH_TOKEN_SECONDS="3")
        assert done.returncode == 8
        assert "gives no token" in last_line(done)
    finally:
        server.box.run("kill", "-CONT", *pids)
    assert eventually(lambda: answers(server, "Tiny-First"), STARTED_SECONDS)


def test_a_model_that_fails_leaves_the_first_running(server: SlotBox) -> None:
    before = server.files("/etc", "/opt/berth")
    done = server.deploy(BROKEN)
    print(done.stdout)
    assert done.returncode == 7, done.stdout
    assert f"{FIRST} runs again on slot 0." in done.stdout
    assert changed(before, server.files("/etc", "/opt/berth")) == []
    assert answers(server, "Tiny-First")


@pytest.mark.parametrize("phase", ["Preparing LiteLLM", "Starting Tiny-Second"])
def test_a_power_cut_between_two_phases_is_made_good_by_the_next_run(
    server: SlotBox, phase: str
) -> None:
    """The second model takes the slot, then the first again, each after a run that was cut."""
    wanted = SECOND if phase.startswith("Preparing") else FIRST
    running = server.start(SECOND, "0", "--yes")
    assert running.stdout
    for line in running.stdout:
        if line.startswith(phase):
            break
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    done = server.deploy(wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "An earlier run was broken off here" in done.stdout
    assert answers(server, wanted.partition("/")[2])
    assert not server.box.path("/var/lib/berth/slots/slot-0/journal.jsonl").exists()


def test_a_start_limit_that_was_reached_does_not_keep_it_from_starting(server: SlotBox) -> None:
    folder = f"/etc/systemd/system/{UNIT}.d"
    refusing = 'ExecStartPre=/bin/sh -c "test ! -e /run/refused"'
    server.box.write(f"{folder}/test.conf", f"[Service]\n{refusing}\nRestartSec=100ms\n")
    server.box.write("/run/refused", "")
    server.box.run("systemctl", "daemon-reload")
    server.box.run("systemctl", "restart", UNIT)
    assert eventually(
        lambda: server.box.run("systemctl", "is-failed", UNIT).stdout.strip() == "failed", 60
    )
    server.box.path("/run/refused").unlink()
    refused = server.box.run("systemctl", "start", UNIT)
    assert "start request repeated too quickly" in refused.stderr.lower() + journal(server)
    assert refused.returncode != 0
    done = server.deploy(FIRST)
    assert done.returncode == 0, done.stdout
    assert answers(server, "Tiny-First")
    server.box.run("rm", "-r", folder)
    server.box.run("systemctl", "daemon-reload")


def test_a_stop_frees_everything_that_the_engine_held(server: SlotBox) -> None:
    began = time.monotonic()
    server.box.run("systemctl", "stop", UNIT)
    assert engine_pids(server) == []
    assert server.box.run("systemctl", "is-failed", UNIT).stdout.strip() == "inactive"
    print(f"stopped in {time.monotonic() - began:.1f} s")


def test_remove_leaves_the_server_as_it_was(server: SlotBox) -> None:
    done = server.script("--remove", "0")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    backups = {
        f"/etc/{name}-" for name in ("group", "gshadow", "passwd", "shadow")
    }  # useradd's own
    assert set(changed(BEFORE, server.files(*FOLDERS))) <= backups
    assert server.box.run("id", "berth").returncode != 0
    assert server.box.run("systemctl", "list-units", "--all", "berth*").stdout.count("berth-") == 0
